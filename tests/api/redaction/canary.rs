//! After a redaction the text is in no table, view, copy, receipt, snapshot or file; the rest of the history stands.

use std::path::Path;

use serde_json::{Value, json};

use super::{are_gone, dump, events, has, redact};
use crate::support::{Socket, World, eventually};

const CANARIES: [&str; 5] = ["canary-project", "canary-title", "canary-comment", "canary/path.txt", "canary-content"];

/// Whether any file below a folder has a text.
fn is_in_folder(folder: &Path, text: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_in_folder(&path, text);
        }
        // One that is gone by now has nothing.
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_redacted_is_nowhere_and_all_proofs_hold() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let keyed = |key: &str| ada.with_header("idempotency-key", key);
    let project = keyed("a").post("/projects", json!({"name": "canary-project"})).await.is(201).id();
    let feed = format!("/projects/{project}");
    let task = keyed("b").post(&format!("{feed}/tasks"), json!({"title": "canary-title"})).await.is(201).id();
    let comments = format!("{feed}/tasks/{task}/comments");
    let comment = keyed("c").post(&comments, json!({"body": "canary-comment"})).await.is(201).id();
    let workspace = ada.post(&format!("{feed}/workspaces"), json!({"name": "Lab"})).await.is(201).id();
    let files = format!("{feed}/workspaces/{workspace}/files");
    let file = json!({"path": "canary/path.txt", "content": "canary-content"});
    let file = keyed("d").post(&files, file).await.is(201).id();
    ada.get(&format!("{feed}/state")).await.is(200);
    let mut socket = Socket::open(&ada).await;
    socket.subscribe(&project, 0).await;

    let pool = world.pool().await;
    let before = dump(&pool).await;
    for canary in CANARIES {
        assert!(has(&before, canary), "{canary} was never there: the test proves nothing");
    }
    eventually("the copy is there", async || is_in_folder(&world.nats().store_dir(), "canary-comment")).await;

    let mut redactions = Vec::new();
    for event_type in ["ProjectCreated", "TaskCreated", "CommentPosted", "FileCreated", "FileContentWritten"] {
        for event in events(&ada, &feed, event_type).await {
            let reply = redact(&ada, &feed, &event["seq"]).await.is(201);
            let redacted = reply.json.clone();
            assert_eq!(redacted["redacted_seq"], event["seq"]);
            assert_eq!(reply.header("location"), format!("/api/v1{feed}/events/{}", redacted["seq"]));
            redactions.push((event, redacted));
        }
    }
    assert!(redactions.len() >= 5);

    // What is told about it: who, why, which, and nothing of what it was.
    for (event, redacted) in &redactions {
        let told = ada.get(&format!("{feed}/events/{}", redacted["seq"])).await.is(200).json;
        assert_eq!((&told["event_type"], &told["actor"]), (&json!("PayloadRedacted"), &json!(ada.id)));
        assert_eq!((&told["data"]["position"], &told["event_id"]), (&event["position"], &redacted["event_id"]));
        assert_eq!(told["data"]["reason"], "posted by mistake");
        let now = ada.get(&format!("{feed}/events/{}", event["seq"])).await.is(200).json;
        assert_eq!((&now["event_id"], &now["actor"]), (&event["event_id"], &event["actor"]));
        assert_ne!(now["data"], event["data"]);
    }
    assert_eq!(ada.get(&feed).await.is(200).json["name"], "[redacted]");
    assert_eq!(ada.get(&format!("{feed}/tasks/{task}")).await.is(200).json["title"], "[redacted]");
    assert_eq!(ada.get(&format!("{comments}/{comment}")).await.is(200).json["body"], "[redacted]");
    ada.get(&format!("{files}/{file}/content")).await.refused("content-redacted");

    let state = |seq: &Value| format!("{feed}/state?as_of={seq}");
    let last_before = redactions[0].1["seq"].as_i64().expect("a place") - 1;
    for seq in [json!(last_before), redactions.last().expect("one").1["seq"].clone()] {
        let state = ada.get(&state(&seq)).await.is(200).text;
        assert!(CANARIES.iter().all(|canary| !state.contains(canary)), "{state}");
    }

    // Dead rows are rows until somebody cleans up.
    sqlx::query("VACUUM FULL").execute(&pool).await.expect("a vacuum");
    are_gone(&pool, &CANARIES).await;
    eventually("the copy is gone", async || {
        CANARIES.iter().all(|canary| !is_in_folder(&world.nats().store_dir(), canary))
    })
    .await;
    drop(socket);
    let again = Socket::open(&ada).await.subscribe(&project, 0).await;
    let again = json!(again).to_string();
    assert!(CANARIES.iter().all(|canary| !again.contains(canary)), "{again}");

    // Proofs, rights, and a replay of it all.
    let export = ada.get(&format!("{feed}/events/export")).await.is(200).text;
    assert!(CANARIES.iter().all(|canary| !export.contains(canary)));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("project.ndjson");
    std::fs::write(&path, &export).expect("a file");
    let (holds, text) = world.command(&["audit", "verify", path.to_str().expect("a path")]).await;
    assert!(holds, "{text}");
    assert!(server.stop().await);
    for command in [["audit", "access"], ["projections", "verify"]] {
        let (holds, text) = world.command(&command).await;
        assert!(holds, "{command:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_worked_on_goes_with_its_request() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let job = ada.run_python("print('canary-' + 'printed')", None).await;
    ada.finished(&job).await;
    let pool = world.pool().await;
    let before = dump(&pool).await;
    assert!(has(&before, "canary-printed") && has(&before, "print('canary-'"));
    let [requested]: [Value; 1] = events(&ada, "/auth/me", "JobRequested").await.try_into().expect("one job");
    redact(&ada, "/auth/me", &requested["seq"]).await.is(201);
    are_gone(&pool, &["canary-printed", "print('canary-'"]).await;
    assert_eq!(ada.get(&format!("/jobs/{job}")).await.is(200).json["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_since_stays() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = format!("/projects/{project}");
    let task = ada.post(&format!("{feed}/tasks"), json!({"title": "First", "description": "Kept."})).await.is(201).id();
    let path = format!("{feed}/tasks/{task}");
    ada.patch(&path, json!({"title": "Second"})).await.is(200);
    let [created]: [Value; 1] = events(&ada, &feed, "TaskCreated").await.try_into().expect("one task");
    let version = ada.get(&path).await.is(200).json["version"].as_i64().expect("a version");
    let keyed = ada.with_header("idempotency-key", "first");
    redact(&keyed, &feed, &created["seq"]).await.is(201);
    // The title is of the later event, the description of the redacted one.
    let now = ada.get(&path).await.is(200).json;
    assert_eq!((&now["title"], &now["description"]), (&json!("Second"), &json!("[redacted]")));
    assert_eq!(now["version"], version + 1);
    // Each event is redacted by itself: the later one tells of the title that it changed.
    let [updated]: [Value; 1] = events(&ada, &feed, "TaskUpdated").await.try_into().expect("one change");
    assert_eq!(updated["data"]["changes"]["title"]["from"], "First");
    redact(&ada, &feed, &updated["seq"]).await.is(201);
    are_gone(&world.pool().await, &["First"]).await;
    // What was replied to the first redaction has no text: the second one leaves it there.
    let again = redact(&keyed, &feed, &created["seq"]).await.is(201);
    assert_eq!(again.header("idempotent-replayed"), "true");
    ada.patch(&path, json!({"title": "Third"})).await.is(200);
    assert_eq!(ada.get(&path).await.is(200).json["title"], "Third");
}
