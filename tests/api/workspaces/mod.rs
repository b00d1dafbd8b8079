//! `/projects/{project_id}/workspaces`

mod files;

use serde_json::json;

use crate::support::{Person, World};

/// Opens a workspace, and returns its address.
pub async fn workspace(person: &Person, project: &str, name: &str) -> String {
    let workspaces = format!("/projects/{project}/workspaces");
    let id = person.post(&workspaces, json!({"name": name})).await.is(201).id();
    format!("{workspaces}/{id}")
}

/// Puts a file into a workspace, and returns its address.
pub async fn file(person: &Person, workspace: &str, path: &str, content: &str) -> String {
    let files = format!("{workspace}/files");
    let id = person.post(&files, json!({"path": path, "content": content})).await.is(201).id();
    format!("{files}/{id}")
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_are_opened_listed_changed_and_closed() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let workspaces = format!("/projects/{project}/workspaces");
    let body = json!({"name": " Backend ", "description": "Where we build."});
    let created = ada.post(&workspaces, body).await.is(201);
    let path = format!("{workspaces}/{}", created.id());
    assert_eq!(created.header("location"), format!("/api/v1{path}"));
    assert_eq!((&created.json["name"], &created.json["file_count"]), (&json!("Backend"), &json!(0)));
    assert_eq!(created.json["created_by"], ada.id);
    let read = grace.get(&path).await.is(200);
    assert_eq!(read.json, created.json);
    grace.with_header("if-none-match", read.header("etag")).get(&path).await.is(304);
    let patched = ada.patch(&path, json!({"name": "Frontend"})).await.is(200);
    assert_eq!((&patched.json["name"], patched.header("etag")), (&json!("Frontend"), "\"2\""));
    assert_eq!(patched.json["description"], "Where we build.");
    let events = ada.history(&project).await;
    let last = events.last().expect("an event");
    assert_eq!(last["event_type"], "WorkspaceUpdated");
    assert_eq!(last["data"]["changes"], json!({"name": {"from": "Backend", "to": "Frontend"}}));
    ada.with_header("if-match", "\"1\"").patch(&path, json!({"name": "Late"})).await.problem(412);
    ada.with_header("if-match", "\"1\"").delete(&path).await.problem(412);
    ada.patch(&path, json!({"name": "Frontend"})).await.is(200);
    assert_eq!(ada.history(&project).await.len(), events.len(), "a change that is none");
    let mut opened = vec![created.id()];
    for number in 0..5 {
        let path = workspace(&ada, &project, &format!("{number}")).await;
        opened.push(path.rsplit('/').next().expect("an id").to_owned());
    }
    let page = ada.get(&format!("{workspaces}?limit=4")).await.is(200);
    let next = page.json["next_cursor"].as_str().expect("more");
    let rest = ada.get(&format!("{workspaces}?limit=4&cursor={next}")).await.is(200);
    let listed: Vec<_> = page.items().iter().chain(rest.items()).map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(listed, opened);
    assert_eq!(ada.get(&format!("{workspaces}?skip=5")).await.is(200).items().len(), 1);
    let detail = grace.get(&format!("/projects/{project}")).await.is(200);
    assert_eq!(detail.json["workspaces"].as_array().expect("workspaces").len(), 6);
    assert_eq!(detail.json["workspaces"][0]["name"], "Frontend");
    ada.delete(&path).await.is(204);
    ada.get(&path).await.problem(404);
    ada.patch(&path, json!({})).await.problem(404);
    ada.delete(&path).await.problem(404);
    assert_eq!(ada.get(&workspaces).await.is(200).items().len(), 5);
    for bad in [json!({}), json!({"name": ""}), json!({"name": "x".repeat(201)}), json!({"name": "a\u{202e}b"})] {
        ada.post(&workspaces, bad).await.problem(422);
    }
    let long = json!({"name": "x", "description": "x".repeat(20_001)});
    assert_eq!(ada.post(&workspaces, long).await.problem(422).json["errors"][0]["pointer"], "/description");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_found_under_its_own_project_only() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let path = workspace(&ada, &apollo, "Lab").await;
    let file = file(&ada, &path, "a.txt", "a").await;
    let other = workspace(&ada, &apollo, "Office").await;
    for (from, to) in [(apollo.as_str(), gemini.as_str())] {
        let foreign = path.replace(from, to);
        ada.get(&foreign).await.problem(404);
        ada.patch(&foreign, json!({"name": "x"})).await.problem(404);
        ada.delete(&foreign).await.problem(404);
        ada.get(&format!("{foreign}/files")).await.problem(404);
        ada.post(&format!("{foreign}/files"), json!({"path": "b"})).await.problem(404);
    }
    for foreign in [file.replace(&apollo, &gemini), file.replace(&path, &other)] {
        ada.get(&foreign).await.problem(404);
        ada.get(&format!("{foreign}/content")).await.problem(404);
        ada.patch(&foreign, json!({"path": "c"})).await.problem(404);
        ada.with_header("content-type", "text/plain")
            .send(reqwest::Method::PUT, &format!("{foreign}/content"), Some("c".to_owned()))
            .await
            .problem(404);
        ada.delete(&foreign).await.problem(404);
    }
    ada.get(&file).await.is(200);
}
