//! `/api/v1/openapi.json`, `/docs`, and the addresses around the API.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Client, World};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The WebSocket, and what lies beside the API.
const BESIDE: [&str; 9] = [
    "/realtime",
    "/health",
    "/ready",
    "/",
    "/.well-known/jwks.json",
    "/log/checkpoint",
    "/log/tile/{level}/{index}",
    "/log/keys",
    "/log/consistency",
];

/// Every operation: its method, path and description.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let mut found = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("a path item") {
            if METHODS.contains(&method.as_str()) {
                found.push((method.as_str(), path.as_str(), operation));
            }
        }
    }
    found
}

fn is_public(operation: &Value) -> bool {
    let open = |schemes: &Value| *schemes == serde_json::json!([]) || *schemes == serde_json::json!([{}]);
    operation.get("security").is_some_and(open)
}

async fn document(client: &Client) -> Value {
    client.get("/openapi.json").await.is(200).json
}

/// Collects every `$ref` in the document.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                found.push(reference);
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_sound_openapi_3_1() {
    let world = World::new().await;
    let server = world.server().await;
    let document = document(&server.client()).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["info"]["title"], "Workroom");
    assert!(document["info"]["version"].is_string());
    assert_eq!(document["servers"][0]["url"], "/api/v1");
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");

    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{at}: its id is taken");
        let summary = operation["summary"].as_str().or(operation["description"].as_str());
        assert!(summary.is_some_and(|text| !text.is_empty()), "{at}: no summary");
        let empty = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&empty);
        let declared: BTreeSet<_> =
            parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
        let named: BTreeSet<_> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(declared, named, "{at}: path parameters");
        assert!(parameters.iter().filter(|p| p["in"] == "path").all(|p| p["required"] == true), "{at}");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2') || status == "101"), "{at}: never succeeds");
        for (status, response) in responses {
            let response = match response["$ref"].as_str() {
                Some(reference) => document.pointer(&reference[1..]).expect("a reference within the document"),
                None => response,
            };
            assert!(response["description"].is_string(), "{at}: {status}");
            if status.as_str() >= "400" {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ProblemDetails", "{at}: {status}");
            } else if !["101", "204", "304"].contains(&status.as_str()) {
                let media_type = match (method, path) {
                    ("get", CONTENT | "/log/checkpoint") => "text/plain",
                    ("get", "/log/tile/{level}/{index}") => "application/octet-stream",
                    (_, path) if path.ends_with("/events/stream") => "text/event-stream",
                    (_, path) if path.ends_with("/events/export") => "application/x-ndjson",
                    _ => "application/json",
                };
                assert!(response["content"][media_type]["schema"].is_object(), "{at}: {status}");
            }
        }
        let takes_nothing = [
            "/realtime/tickets",
            "/auth/logout",
            "/auth/email/verification",
            "/invitations/{token}/accept",
            "/invitations/{token}/block",
            "/jobs/{job_id}/cancel",
            "/jobs/{job_id}/retry",
            REDELIVER,
        ]
        .contains(&path);
        if matches!(method, "post" | "put" | "patch") && !takes_nothing {
            let media_type = if path == CONTENT { "text/plain" } else { "application/json" };
            assert!(operation["requestBody"]["content"][media_type]["schema"].is_object(), "{at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operations_and_their_statuses_are_these() {
    let world = World::new().await;
    let server = world.server().await;
    let document = document(&server.client()).await;
    let mut listed = BTreeMap::new();
    for (method, path, operation) in operations(&document) {
        let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
        listed.insert(format!("{path} {method}"), statuses.join(" "));
    }
    insta::assert_json_snapshot!("operations", listed);
    // What `workroom openapi` prints is what is served.
    let (printed, text) = world.command(&["openapi"]).await;
    assert!(printed, "{text}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_asks_for_a_signed_in_caller_but_those_that_sign_in() {
    let world = World::new().await;
    let server = world.server().await;
    let document = document(&server.client()).await;
    let ada = server.person("ada").await;
    let reader = ada.post("/auth/tokens", serde_json::json!({"name": "reader"})).await.is(201).json;
    let reader = server.client().with_token(reader["token"].as_str().expect("a token"));
    let mut public = Vec::new();
    for (method, path, operation) in operations(&document) {
        if BESIDE.contains(&path) {
            assert_eq!(operation["security"][0], serde_json::json!({}), "{path}");
            continue;
        }
        let address = path
            .split('/')
            .map(|part| if part.starts_with('{') { Uuid::now_v7().to_string() } else { part.to_owned() });
        let address = address.collect::<Vec<_>>().join("/");
        let body = operation.get("requestBody").map(|_| "{}".to_owned());
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        if is_public(operation) {
            public.push(format!("{method} {path}"));
            // Without a provider there is no webhook, and without an invitation nothing to block.
            let status = if ["/webhooks/identity", "/invitations/{token}/block"].contains(&path) { 404 } else { 422 };
            server.client().send(method, &address, body).await.problem(status);
            continue;
        }
        let reply = server.client().send(method.clone(), &address, body.clone()).await;
        assert_eq!(reply.status, 401, "{method} {path}: {}", reply.text);
        reply.problem(401);
        // Before it looks at anything else.
        let garbage = body.map(|_| "{".to_owned());
        server.client().send(method.clone(), &address, garbage.clone()).await.problem(401);
        // Whoever may only read is not heard either.
        if method != Method::GET {
            reader.send(method, &address, garbage).await.problem(403);
        }
    }
    public.sort_unstable();
    let expected = [
        "POST /auth/email/verify",
        "POST /auth/login",
        "POST /auth/password/forgot",
        "POST /auth/password/reset",
        "POST /auth/refresh",
        "POST /auth/register",
        "POST /invitations/{token}/block",
        "POST /webhooks/identity",
    ];
    assert_eq!(public, expected);
}

/// Events come before the views show them: whoever reads on receipt of an event says for what to wait.
#[tokio::test(flavor = "multi_thread")]
async fn every_read_waits_for_a_position() {
    let world = World::new().await;
    let server = world.server().await;
    let document = document(&server.client()).await;
    let ada = server.person("ada").await;
    let reads = operations(&document)
        .into_iter()
        .filter(|(method, path, _)| *method == "get" && !BESIDE.contains(path) && !path.ends_with("/events/stream"));
    for (_, path, operation) in reads {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let takes = parameters.filter(|one| one["in"] == "query").any(|one| one["name"] == "min_position");
        assert!(takes, "{path}");
        let address: Vec<_> = path
            .split('/')
            .map(|part| match part {
                "{seq}" => "1".to_owned(),
                part if part.starts_with('{') => Uuid::now_v7().to_string(),
                part => part.to_owned(),
            })
            .collect();
        ada.get(&format!("{}?min_position=-1", address.join("/"))).await.refused_field("/min_position", "out-of-range");
    }
}

const ROOM: &str = "/projects/{project_id}/workspaces/{workspace_id}";
const FILES: &str = "/projects/{project_id}/workspaces/{workspace_id}/files";
const FILE: &str = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}";
const WEBHOOKS: &str = "/projects/{project_id}/webhooks";
const WEBHOOK: &str = "/projects/{project_id}/webhooks/{webhook_id}";
const SECRET: &str = "/projects/{project_id}/webhooks/{webhook_id}/secret";
const DELIVERIES: &str = "/projects/{project_id}/webhooks/{webhook_id}/deliveries";
const REDELIVER: &str = "/projects/{project_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver";
const CONTENT: &str = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}/content";

/// What the other tests have seen of each operation beyond what every operation has.
const SEEN: &[(&str, &str, &str)] = &[
    ("post", "/auth/register", "201 400 409 413 415 422 503"),
    ("post", "/auth/login", "200 400 401 413 415 422 429 503"),
    ("post", "/auth/logout", "204 401 403 409"),
    ("patch", "/auth/me", "200 401 403 409 412 422"),
    ("put", "/auth/me", "200 401 422"),
    ("delete", "/auth/me", "204 401 403 409 422"),
    ("get", "/auth/sessions", "200 401 403"),
    ("delete", "/auth/sessions/{session_id}", "204 401 404"),
    ("get", "/auth/tokens", "200 401 403"),
    ("post", "/auth/tokens", "201 401 403 409 422"),
    ("delete", "/auth/tokens/{token_id}", "204 401 404"),
    ("get", "/auth/tokens/{token_id}", "200 401 404 422 503"),
    ("post", "/auth/password", "204 401 403 409 422 429"),
    ("post", "/auth/password/forgot", "202 422"),
    ("post", "/auth/password/reset", "200 422"),
    ("post", "/auth/email/verify", "204 422"),
    ("post", "/auth/email/verification", "202 401"),
    ("post", "/webhooks/identity", "204 401 404 422"),
    ("post", "/auth/refresh", "200 400 401 413 415 422"),
    ("get", "/auth/me", "200 304 401 422 503"),
    ("get", "/auth/me/events", "200 401 403 422 503"),
    ("get", "/auth/me/events/{seq}", "200 401 403 404 422 503"),
    ("post", "/auth/me/events/{seq}/redact", "201 400 401 403 404 409 413 415 422 503"),
    ("post", "/organizations/{organization_id}/events/{seq}/redact", "201 400 401 403 404 409 413 415 422 503"),
    ("post", "/projects/{project_id}/events/{seq}/redact", "201 400 401 403 404 409 413 415 422 503"),
    ("post", "/projects/{project_id}/purge", "202 400 401 403 404 409 413 415 422"),
    ("put", "/organizations/{organization_id}/retention", "200 400 401 403 404 409 412 413 415 422"),
    ("post", "/organizations", "201 401 409 422"),
    ("get", "/organizations", "200 401"),
    ("get", "/organizations/{organization_id}", "200 304 401 404"),
    ("patch", "/organizations/{organization_id}", "200 401 403 404 409 412 422"),
    ("put", "/organizations/{organization_id}", "200 401 403 404 409 412 422"),
    ("delete", "/organizations/{organization_id}", "204 401 403 404 409"),
    ("get", "/organizations/{organization_id}/members", "200 401 404"),
    ("post", "/organizations/{organization_id}/members", "201 401 403 404 409 422"),
    ("patch", "/organizations/{organization_id}/members/{user_id}", "200 401 403 404 409 422"),
    ("put", "/organizations/{organization_id}/members/{user_id}", "200 401 403 404 409 422"),
    ("get", "/organizations/{organization_id}/members/{user_id}", "200 401 404"),
    ("delete", "/organizations/{organization_id}/members/{user_id}", "204 401 403 404 409"),
    ("get", "/organizations/{organization_id}/projects", "200 401 404"),
    ("get", "/organizations/{organization_id}/events", "200 401 404"),
    ("get", "/organizations/{organization_id}/events/{seq}", "200 401 404"),
    ("get", "/organizations/{organization_id}/events/export", "200 401 403 404 422 429 503"),
    ("post", "/projects", "201 400 401 404 409 413 415 422"),
    ("get", "/projects", "200 401 422 503"),
    ("get", "/projects/{project_id}", "200 304 401 404 422 503"),
    ("patch", "/projects/{project_id}", "200 400 401 403 404 412 413 415 422"),
    ("put", "/projects/{project_id}", "200 400 401 403 404 412 413 415 422"),
    ("delete", "/projects/{project_id}", "204 401 403 404 412"),
    ("get", "/projects/{project_id}/events", "200 401 404 422 503"),
    ("get", "/projects/{project_id}/state", "200 401 404 409 422 429 503"),
    ("get", "/projects/{project_id}/diff", "200 401 404 409 422 429 503"),
    ("get", "/projects/{project_id}/events/{seq}", "200 401 404 422 503"),
    ("get", "/projects/{project_id}/events/export", "200 401 403 404 422 429 503"),
    ("get", "/projects/{project_id}/members", "200 401 403 404 422 503"),
    ("post", "/projects/{project_id}/members", "201 400 401 403 404 409 413 415 422"),
    ("get", "/projects/{project_id}/members/{user_id}", "200 304 401 403 404"),
    ("patch", "/projects/{project_id}/members/{user_id}", "200 400 401 403 404 409 412 413 415 422"),
    ("put", "/projects/{project_id}/members/{user_id}", "200 400 401 403 404 409 412 413 415 422"),
    ("delete", "/projects/{project_id}/members/{user_id}", "204 401 403 404 409 412"),
    ("post", "/projects/{project_id}/tasks", "201 400 401 403 404 409 413 415 422"),
    ("get", "/projects/{project_id}/tasks", "200 401 404 422 503"),
    ("post", "/projects/{project_id}/tasks/delete", "200 401 403 404 422"),
    ("get", "/projects/{project_id}/tasks/{task_id}", "200 304 401 404"),
    ("patch", "/projects/{project_id}/tasks/{task_id}", "200 401 403 404 412 422"),
    ("put", "/projects/{project_id}/tasks/{task_id}", "200 401 403 404 412 422"),
    ("delete", "/projects/{project_id}/tasks/{task_id}", "204 401 403 404 412"),
    ("post", "/projects/{project_id}/tasks/{task_id}/comments", "201 401 403 404 422"),
    ("get", "/projects/{project_id}/tasks/{task_id}/comments", "200 401 404 422"),
    ("get", "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", "200 304 401 404"),
    ("patch", "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", "200 401 403 404 412 422"),
    ("put", "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", "200 401 403 404 412 422"),
    ("delete", "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}", "204 401 403 404 412"),
    ("get", "/projects/{project_id}/invitations", "200 401 403 404 422"),
    ("get", "/projects/{project_id}/invitations/{invitation_id}", "200 304 401 403 404 422 503"),
    ("delete", "/projects/{project_id}/invitations/{invitation_id}", "204 401 403 404 409"),
    ("get", "/organizations/{organization_id}/invitations", "200 401 403 404 422"),
    ("get", "/organizations/{organization_id}/invitations/{invitation_id}", "200 304 401 403 404 422 503"),
    ("delete", "/organizations/{organization_id}/invitations/{invitation_id}", "204 401 403 404 409"),
    ("post", "/invitations/{token}/accept", "200 401 403 404 409"),
    ("post", "/invitations/{token}/block", "204 404"),
    ("post", "/projects/{project_id}/workspaces", "201 400 401 403 404 409 413 415 422"),
    ("get", "/projects/{project_id}/workspaces", "200 401 403 404 422 503"),
    ("get", ROOM, "200 304 401 403 404"),
    ("patch", ROOM, "200 400 401 403 404 412 413 415 422"),
    ("put", ROOM, "200 400 401 403 404 412 413 415 422"),
    ("delete", ROOM, "204 401 403 404 412"),
    ("post", FILES, "201 400 401 403 404 409 413 415 422"),
    ("get", FILES, "200 401 403 404 422 503"),
    ("get", FILE, "200 304 401 403 404"),
    ("patch", FILE, "200 400 401 403 404 409 412 413 415 422"),
    ("put", FILE, "200 400 401 403 404 409 412 413 415 422"),
    ("delete", FILE, "204 401 403 404 412"),
    ("get", CONTENT, "200 304 401 403 404"),
    ("put", CONTENT, "200 400 401 403 404 412 413 415 422"),
    ("post", "/jobs", "200 202 400 401 403 404 409 413 415 422 503"),
    ("get", "/jobs", "200 401 403 404 422 503"),
    ("get", "/jobs/{job_id}", "200 304 401 403 404"),
    ("get", "/jobs/{job_id}/logs", "200 401 403 404 422"),
    ("get", "/jobs/{job_id}/artifacts", "200 401 403 404 422"),
    ("post", "/jobs/{job_id}/cancel", "200 401 403 404 409"),
    ("post", "/jobs/{job_id}/retry", "200 401 403 404 409"),
    ("delete", "/jobs/{job_id}", "204 401 403 404 409 412"),
    ("get", "/jobs/rules", "200 401 403 404 422"),
    ("post", "/jobs/pause", "200 400 401 403 404 409 413 415 422"),
    ("post", "/jobs/resume", "200 400 401 403 404 409 413 415 422"),
    ("put", "/jobs/rules", "200 400 401 403 404 409 413 415 422"),
    ("post", "/jobs/cancel", "202 400 401 403 404 409 413 415 422"),
    ("post", "/jobs/retry", "202 400 401 403 404 409 413 415 422"),
    ("post", "/jobs/delete", "202 400 401 403 404 409 413 415 422"),
    ("post", WEBHOOKS, "201 400 401 403 404 409 413 415 422"),
    ("get", WEBHOOKS, "200 401 403 404"),
    ("get", WEBHOOK, "200 304 401 403 404"),
    ("patch", WEBHOOK, "200 400 401 403 404 409 412 413 415 422"),
    ("delete", WEBHOOK, "204 401 403 404 412"),
    ("post", SECRET, "201 400 401 403 404 413 415 422"),
    ("get", DELIVERIES, "200 401 403 404 422"),
    ("post", REDELIVER, "202 401 403 404 409"),
    ("post", "/schedules", "201 400 401 403 404 409 413 415 422"),
    ("get", "/schedules", "200 401 403 404 422"),
    ("get", "/schedules/{schedule_id}", "200 304 401 403 404"),
    ("patch", "/schedules/{schedule_id}", "200 400 401 403 404 409 412 413 415 422"),
    ("put", "/schedules/{schedule_id}", "200 400 401 403 404 409 412 413 415 422"),
    ("delete", "/schedules/{schedule_id}", "204 401 403 404 412"),
    ("post", "/realtime/tickets", "201 400 401 409 415 422"),
    ("post", "/projects/{project_id}/realtime", "202 400 401 403 404 415 422"),
    ("get", "/projects/{project_id}/events/stream", "200 400 401 403 404 422 429 503"),
    ("get", "/events/stream", "200 400 401 403 404 422 429 503"),
    ("get", "/realtime", "101 400 401 403 426 429 503"),
    ("get", "/health", "200"),
    ("get", "/ready", "200 503"),
    ("get", "/", "200"),
    ("get", "/.well-known/jwks.json", "200"),
    ("get", "/log/checkpoint", "200 304 404"),
    ("get", "/log/tile/{level}/{index}", "200 404"),
    ("get", "/log/keys", "200"),
    ("get", "/log/consistency", "200 422"),
    ("get", "/projects/{project_id}/events/{seq}/proof", "200 401 404 422 503"),
    ("get", "/organizations/{organization_id}/events/{seq}/proof", "200 401 404 422 503"),
    ("get", "/auth/me/events/{seq}/proof", "200 401 403 404 422 503"),
    ("get", "/projects/{project_id}", "400 408"),
    ("get", "/auth/me", "500"),
];

/// What every operation may send: see `problems::ALWAYS`.
const EVERYWHERE: &str = "400 408 422 429 431 500 503";

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_documents_the_replies_it_gives() {
    let world = World::new().await;
    let server = world.server().await;
    let document = document(&server.client()).await;
    for &(method, path, statuses) in SEEN {
        let responses = &document["paths"][path][method]["responses"];
        for status in statuses.split(' ') {
            assert!(responses[status].is_object(), "{method} {path} answers {status} and does not say so");
        }
    }
    for (method, path, operation) in operations(&document) {
        let seen =
            SEEN.iter().filter(|(m, p, _)| (*m, *p) == (method, path)).flat_map(|(.., statuses)| statuses.split(' '));
        let mut sent: BTreeSet<_> = seen.chain(EVERYWHERE.split(' ')).collect();
        let takes = |name: &str| headers(operation).1.contains(name);
        if operation.get("requestBody").is_some() {
            sent.extend(["413", "415"]);
        }
        if method != "get" && !is_public(operation) {
            // A token that may only read; and others who change the same thing again and again.
            sent.extend(["403", "409"]);
        }
        if takes("If-Match") {
            sent.insert("412");
        }
        if path.starts_with("/auth/") && !is_public(operation) {
            // A token that may not see to its account.
            sent.insert("403");
        }
        let declared: BTreeSet<_> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
        let never: Vec<_> = declared.difference(&sent).collect();
        assert!(never.is_empty(), "{method} {path} declares {never:?}, which nobody was sent");
    }
    let known: BTreeSet<_> = SEEN.iter().map(|(method, path, _)| (*method, *path)).collect();
    let all: BTreeSet<_> = operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(known, all, "an operation without a row");
}

/// The headers of an operation's success, and the parameters in its headers.
fn headers(operation: &Value) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let responses = operation["responses"].as_object().expect("responses");
    let is_success = |status: &str| status.starts_with('2') || status == "101";
    let success = responses.iter().find(|(status, _)| is_success(status)).expect("a success").1;
    let told = success["headers"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let taken = parameters.filter(|p| p["in"] == "header").map(|p| p["name"].as_str().unwrap()).collect();
    (told, taken)
}

/// Every reply of any test is compared with the document as well, by the tests' client.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_documents_the_headers_that_it_takes_and_sends() {
    let world = World::new().await;
    let server = world.server().await;
    let document = document(&server.client()).await;
    for (method, path, operation) in operations(&document) {
        let at = format!("{method} {path}");
        let (told, taken) = headers(operation);
        let statuses = operation["responses"].as_object().expect("responses");
        assert!(told.is_superset(&BTreeSet::from(["X-Request-Id", "RateLimit", "RateLimit-Policy"])), "{at}");
        assert_eq!(told.contains("Idempotent-Replayed"), taken.contains("Idempotency-Key"), "{at}");
        assert_eq!(taken.contains("If-Match"), statuses.contains_key("412"), "{at}");
        assert_eq!(taken.contains("If-None-Match"), statuses.contains_key("304"), "{at}");
        assert!(!statuses.contains_key("304") || told.contains("ETag"), "{at}");
        assert_eq!(told.contains("Workroom-Position"), told.contains("Workroom-Visible"), "{at}");
        // What appends nothing has no position in the log.
        let appends_nothing = [
            "/auth/login",
            "/auth/refresh",
            "/auth/password/forgot",
            "/auth/email/verification",
            "/realtime/tickets",
            "/projects/{project_id}/realtime",
            "/projects/{project_id}/purge",
        ];
        assert_eq!(method != "get" && !appends_nothing.contains(&path), told.contains("Workroom-Position"), "{at}");
        let is_new = statuses.contains_key("201") && path != "/realtime/tickets";
        let accepting = ["/jobs", "/jobs/cancel", "/jobs/retry", "/jobs/delete", REDELIVER];
        let is_accepted = method == "post" && accepting.contains(&path);
        assert_eq!(is_new || is_accepted, told.contains("Location"), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_can_be_browsed_without_the_network() {
    let world = World::new().await;
    let server = world.server().await;
    let page = server.client().get("//docs").await.is(200);
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
    let page = server.client().get("//docs/").await.is(200);
    let linked = page.text.split('"').filter(|text| text.ends_with(".js") || text.ends_with(".css"));
    let mut files = 0;
    for file in linked {
        assert!(!file.contains("://"), "{file} is elsewhere");
        server.client().get(&format!("//docs/{}", file.trim_start_matches("./"))).await.is(200);
        files += 1;
    }
    assert!(files >= 2);
    let script = server.client().get("//docs/swagger-ui-bundle.js").await.is(200);
    assert!(script.text.contains("SwaggerUIBundle"), "readable without being decompressed");
    let client = server.client().with_header("accept-encoding", "br, gzip;q=0.5");
    let compressed = client.get("//docs/swagger-ui-bundle.js").await.is(200);
    assert_eq!((compressed.header("content-encoding"), compressed.header("vary")), ("gzip", "accept-encoding"));
    let client = server.client().with_header("accept-encoding", "gzip;q=0");
    assert_eq!(client.get("//docs/swagger-ui-bundle.js").await.is(200).text, script.text);
    let start = server.client().get("//docs/swagger-initializer.js").await.is(200);
    assert!(start.text.contains("/api/v1/openapi.json"));
    server.client().get("//docs/no-such-page").await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_says_what_it_is_and_how_it_does() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    assert_eq!(client.get("//health").await.is(200).json, serde_json::json!({"status": "ok"}));
    let about = client.get("//").await.is(200).json;
    assert_eq!(about["service"], "workroom");
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(about["docs"], "/docs");
    let ready = client.get("//ready").await.is(200).json;
    assert_eq!(ready["status"], "ready");
    let checks = ready["checks"].as_object().expect("checks");
    assert!(!checks.is_empty() && checks.values().all(|check| check["ok"] == true), "{checks:?}");
    for path in ["//health", "//ready", "//", "/openapi.json", "//.well-known/jwks.json"] {
        let reply = client.get(path).await.is(200);
        assert!(reply.header("content-type").starts_with("application/json"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert!(!reply.header("x-request-id").is_empty(), "{path}");
    }
    let named = client.with_header("x-request-id", "trace-me-7").get("//health").await;
    assert_eq!(named.header("x-request-id"), "trace-me-7");
    for unsound in ["with space", &"x".repeat(129)] {
        let reply = client.with_header("x-request-id", unsound).get("//health").await;
        assert!(Uuid::parse_str(reply.header("x-request-id")).is_ok(), "{unsound}");
    }
}
