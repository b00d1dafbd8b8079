//! Requests that are no good before their body is looked at.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::head;
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn at_an_unknown_address_there_is_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let id = Uuid::now_v7();
    for path in [
        "//nothing",
        "//api",
        "//api/v1",
        "/",
        "/nothing",
        "/projects/",
        &format!("/projects/{id}/"),
        &format!("/projects/{id}/nothing"),
        "//api/v2/projects",
        "/auth",
        "/auth/me/",
        "//%00",
        "/%00",
        "/projects/%00",
        "/projects/%00/events",
        "/jobs/%00",
        &format!("/projects/{id}/members/%00"),
        "//..%2f..%2fetc%2fpasswd",
        "//%ff%fe",
        "//.well-known/",
        "//.git/config",
        "//docs/..%2f..%2fCargo.toml",
    ] {
        for method in [Method::GET, Method::DELETE] {
            let reply = ada.send(method.clone(), path, None).await;
            assert!(matches!(reply.status, 404 | 405), "{method} {path}: {} {}", reply.status, reply.text);
            assert!(reply.status == 404 || method == Method::DELETE, "{path}");
            let status = reply.status;
            reply.problem(status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_an_address_does_not_take_is_refused_with_those_it_takes() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let id = Uuid::now_v7();
    let expected = [
        ("/auth/register", "POST"),
        ("/auth/login", "POST"),
        ("/auth/refresh", "POST"),
        ("/auth/me", "DELETE,GET,HEAD,PATCH,PUT"),
        ("/auth/me/events", "GET,HEAD"),
        ("/projects", "GET,HEAD,POST"),
        (&*format!("/projects/{id}"), "DELETE,GET,HEAD,PATCH,PUT"),
        (&format!("/projects/{id}/events"), "GET,HEAD"),
        (&format!("/projects/{id}/members"), "GET,HEAD,POST"),
        (&format!("/projects/{id}/members/{id}"), "DELETE,GET,HEAD,PATCH,PUT"),
        (&format!("/projects/{id}/tasks"), "GET,HEAD,POST"),
        (&format!("/projects/{id}/tasks/delete"), "POST"),
        (&format!("/projects/{id}/tasks/{id}"), "DELETE,GET,HEAD,PATCH,PUT"),
        (&format!("/projects/{id}/tasks/{id}/comments"), "GET,HEAD,POST"),
        (&format!("/projects/{id}/tasks/{id}/comments/{id}"), "DELETE,GET,HEAD,PATCH,PUT"),
        (&format!("/projects/{id}/workspaces"), "GET,HEAD,POST"),
        (&format!("/projects/{id}/workspaces/{id}"), "DELETE,GET,HEAD,PATCH,PUT"),
        (&format!("/projects/{id}/workspaces/{id}/files"), "GET,HEAD,POST"),
        (&format!("/projects/{id}/workspaces/{id}/files/{id}"), "DELETE,GET,HEAD,PATCH,PUT"),
        (&format!("/projects/{id}/workspaces/{id}/files/{id}/content"), "GET,HEAD,PUT"),
        (&format!("/projects/{id}/invitations"), "GET,HEAD"),
        (&format!("/projects/{id}/invitations/{id}"), "DELETE,GET,HEAD"),
        (&format!("/organizations/{id}/invitations"), "GET,HEAD"),
        (&format!("/organizations/{id}/invitations/{id}"), "DELETE,GET,HEAD"),
        ("/invitations/wrm_none/accept", "POST"),
        ("/organizations", "GET,HEAD,POST"),
        (&format!("/organizations/{id}"), "DELETE,GET,HEAD,PATCH,PUT"),
        (&format!("/organizations/{id}/members"), "GET,HEAD,POST"),
        (&format!("/organizations/{id}/members/{id}"), "DELETE,GET,HEAD,PATCH,PUT"),
        (&format!("/organizations/{id}/projects"), "GET,HEAD"),
        (&format!("/organizations/{id}/events"), "GET,HEAD"),
        ("/jobs", "GET,HEAD,POST"),
        (&format!("/jobs/{id}"), "DELETE,GET,HEAD"),
        ("/jobs/cancel", "POST"),
        ("/jobs/rules", "GET,HEAD,PUT"),
        ("/realtime/tickets", "POST"),
        ("//health", "GET,HEAD"),
        ("//ready", "GET,HEAD"),
        ("//", "GET,HEAD"),
        ("//.well-known/jwks.json", "GET,HEAD"),
        ("/openapi.json", "GET,HEAD"),
    ];
    for (path, allowed) in expected {
        let takes: Vec<_> = allowed.split(',').collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            if takes.contains(&method) {
                continue;
            }
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let reply = ada.send(method.clone(), path, None).await;
            assert_eq!(reply.status, 405, "{method} {path}: {}", reply.text);
            let reply = reply.problem(405);
            let mut allow: Vec<_> = reply.header("allow").split(',').map(str::trim).collect();
            allow.sort_unstable();
            assert_eq!(allow, takes, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_string_with_nul_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    for path in [
        "/projects",
        "/jobs",
        "/auth/me/events",
        &format!("/projects/{project}/members"),
        &format!("/projects/{project}/events"),
    ] {
        for query in ["cursor=%00", "%00", "%00=1", "limit=%00", "limit=1%00"] {
            let reply = ada.get(&format!("{path}?{query}")).await;
            assert_eq!(reply.status, 422, "{path}?{query}: {}", reply.text);
            reply.problem(422);
        }
    }
    for path in ["type=a%00", "actor=%00"] {
        ada.get(&format!("/projects/{project}/events?{path}")).await.problem(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_id_and_what_is_no_ones_id_are_both_not_there() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let before = head(&world).await;
    let absent = Uuid::now_v7().to_string();
    for id in [&*absent, "7", "x", "ffffffff-ffff-ffff-ffff-ffffffffffff", "%F0%9F%92%A9", &"9".repeat(5000)] {
        for (method, path, body) in [
            (Method::GET, format!("/projects/{id}"), None),
            (Method::PATCH, format!("/projects/{id}"), Some(json!({"name": "x"}))),
            (Method::PUT, format!("/projects/{id}"), Some(json!({"name": "x"}))),
            (Method::DELETE, format!("/projects/{id}"), None),
            (Method::GET, format!("/projects/{id}/events"), None),
            (Method::GET, format!("/projects/{id}/members"), None),
            (Method::POST, format!("/projects/{id}/members"), Some(json!({"email": ada.email}))),
            (Method::GET, format!("/projects/{project}/members/{id}"), None),
            (Method::PATCH, format!("/projects/{project}/members/{id}"), Some(json!({"role": "viewer"}))),
            (Method::DELETE, format!("/projects/{project}/members/{id}"), None),
            (Method::GET, format!("/jobs/{id}"), None),
        ] {
            let reply = ada.send(method.clone(), &path, body.map(|body| body.to_string())).await;
            assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text);
            reply.problem(404);
        }
    }
    let job = json!({"type": "code_execution", "language": "python", "code": "1", "project_id": absent});
    ada.post("/jobs", job).await.problem(404);
    assert_eq!(head(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_headers_are_read_or_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    ada.with_header("x-padding", &"x".repeat(16 * 1024)).get("/auth/me").await.is(200);
    ada.with_header("x-padding", &"x".repeat(100 * 1024)).get("/auth/me").await.refused("headers-too-large");
    let with_headers = |count: usize| {
        (1..count)
            .fold(ada.with_header("x-padding", "x"), |client, n| client.with_header(&format!("x-padding-{n}"), "x"))
    };
    with_headers(100).get("/auth/me").await.is(200);
    with_headers(200).get("/auth/me").await.refused("headers-too-large");
    // hyper refuses these itself, without a body: they never became requests.
    let huge = "x".repeat(1024 * 1024);
    ada.with_header("x-padding", &huge).get("/auth/me").await.is(431);
    with_headers(300).get("/auth/me").await.is(431);
    ada.get("/auth/me").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_request_to_the_websockets_address_is_told_to_upgrade() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let reply = ada.get("/realtime").await;
    assert!(matches!(reply.status, 400 | 426), "{}", reply.text);
    let status = reply.status;
    reply.problem(status);
}
