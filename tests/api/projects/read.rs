//! `GET /projects/{project_id}`, and who may see and do what.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, Person, World};

/// Every operation on a project, with a body that would do.
fn operations(project: &str, someone: &Person) -> Vec<(Method, String, Option<Value>)> {
    let project = format!("/projects/{project}");
    let member = format!("{project}/members/{}", someone.id);
    let add = json!({"email": someone.email});
    vec![
        (Method::GET, project.clone(), None),
        (Method::GET, format!("{project}/events"), None),
        (Method::GET, format!("{project}/members"), None),
        (Method::PATCH, project.clone(), Some(json!({"name": "Renamed"}))),
        (Method::PUT, project.clone(), Some(json!({"name": "Renamed"}))),
        (Method::POST, format!("{project}/members"), Some(add)),
        (Method::PATCH, member.clone(), Some(json!({"role": "viewer"}))),
        (Method::PUT, member.clone(), Some(json!({"role": "viewer"}))),
        (Method::DELETE, member, None),
        (Method::DELETE, project, None),
    ]
}

async fn send(client: &Client, (method, path, body): &(Method, String, Option<Value>)) -> crate::support::Reply {
    client.send(method.clone(), path, body.as_ref().map(Value::to_string)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sees_the_people_in_a_project_and_their_own_role() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let hers = grace.get(&format!("/projects/{project}")).await.is(200).json;
    assert_eq!(hers["role"], "viewer");
    assert_eq!(hers["member_count"], 2);
    assert_eq!(hers["owner"]["user_id"], ada.id);
    assert_eq!(hers["owner"]["email"], ada.email);
    let mut members: Vec<_> = hers["members"].as_array().unwrap().iter().map(|m| (&m["user_id"], &m["role"])).collect();
    members.sort_unstable_by_key(|(id, _)| id.as_str().map(str::to_owned));
    let (ada_id, grace_id) = (json!(ada.id), json!(grace.id));
    let mut expected = [(&ada_id, &json!("owner")), (&grace_id, &json!("viewer"))];
    expected.sort_unstable_by_key(|(id, _)| id.as_str().map(str::to_owned));
    assert_eq!(members, expected);
    assert_eq!(ada.get(&format!("/projects/{project}")).await.is(200).json["role"], "owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_projects_do_not_exist_for_any_verb() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let nothing = Uuid::now_v7().to_string();
    for (hidden, absent) in operations(&project, &eve).iter().zip(&operations(&nothing, &eve)) {
        let (hidden_reply, absent_reply) = (send(&eve, hidden).await, send(&eve, absent).await);
        let (hidden_reply, absent_reply) = (hidden_reply.problem(404), absent_reply.problem(404));
        assert_eq!(hidden_reply.json["detail"], absent_reply.json["detail"], "{hidden:?}");
        assert_eq!(send(&server.client(), hidden).await.problem(401).status, 401);
    }
    assert_eq!(eve.get("/projects").await.is(200).items().len(), 0);
    assert_eq!(ada.history(&project).await.len(), 2, "created, and its creator made owner");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_of_a_public_project_sees_it_and_its_history_and_no_more() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.post("/projects", json!({"name": "Open", "is_public": true})).await.is(201).id();
    let seen = eve.get(&format!("/projects/{project}")).await.is(200);
    assert_eq!(seen.json["name"], "Open");
    assert_eq!(seen.json["role"], Value::Null);
    assert_eq!(seen.json["owner"], Value::Null);
    assert_eq!(seen.json["members"], json!([]));
    assert!(!seen.text.contains(&ada.email));
    assert_eq!(eve.history(&project).await.len(), 2);
    for operation in &operations(&project, &eve)[2..] {
        // Taking oneself off is no more a visitor's right than anything else.
        assert_eq!(send(&eve, operation).await.problem(403).status, 403, "{operation:?}");
    }
    let job = json!({"type": "code_execution", "language": "python", "code": "1", "project_id": project});
    eve.post("/jobs", job).await.problem(403);
    eve.get(&format!("/jobs?project_id={project}")).await.problem(403);
    assert_eq!(eve.get("/projects").await.is(200).items().len(), 0, "one's list is of what one belongs to");
    assert_eq!(ada.history(&project).await.len(), 2);
    send(&server.client(), &operations(&project, &eve)[0]).await.problem(401);

    ada.patch(&format!("/projects/{project}"), json!({"is_public": false})).await.is(200);
    for operation in &operations(&project, &eve) {
        assert_eq!(send(&eve, operation).await.problem(404).status, 404, "{operation:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_id_names_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for id in ["1", "apollo", "00000000-0000-0000-0000-000000000000", "%00", "%ff", "..%2f..%2fetc", "'%20OR%20'1'='1"]
    {
        for (method, body) in [(Method::GET, None), (Method::PATCH, Some("{}")), (Method::DELETE, None)] {
            ada.send(method, &format!("/projects/{id}"), body.map(str::to_owned)).await.problem(404);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_the_position_it_asks_for() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let reply = ada.post("/projects", json!({"name": "Apollo"})).await.is(201);
    let (project, position) = (reply.id(), reply.position());
    ada.get(&format!("/projects/{project}?min_position={position}")).await.is(200);
    ada.get(&format!("/projects/{project}?min_position={}", position + 1_000_000)).await.problem(422);
    for wrong in ["-1", "soon", "1.5", "9223372036854775808", ""] {
        ada.get(&format!("/projects/{project}?min_position={wrong}")).await.problem(422);
    }
    ada.get(&format!("/projects/{project}?fresh=true")).await.problem(422);
}
