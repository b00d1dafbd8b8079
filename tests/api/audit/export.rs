//! Exports: through HTTP and at the command line, verified as whoever receives them would.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Person, World};

/// A file of this content.
fn file(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

/// Runs `workroom audit …` on a file without settings, as on a laptop; returns its exit code and what it printed.
async fn audit(command: &str, path: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_workroom"))
        .args(["audit", command])
        .arg(path)
        .args(more)
        .env_clear()
        .output()
        .await
        .expect("a command");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

async fn verify(path: &Path, more: &[&str]) -> (Option<i32>, String) {
    audit("verify", path, more).await
}

#[track_caller]
fn verified((code, text): (Option<i32>, String)) -> String {
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("VERIFIED"), "{text}");
    text
}

#[track_caller]
fn refuted((code, text): (Option<i32>, String), why: &str) {
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("NOT VERIFIED") && text.contains(why), "{text}");
}

/// The events of an export.
fn events(text: &str) -> Vec<Value> {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    lines[1..lines.len() - 1].to_vec()
}

/// The position of an event of an export.
fn position(event: &Value) -> i64 {
    event["position"].as_str().and_then(|position| position.parse().ok()).expect("a position")
}

/// The checkpoint in the header of an export, and its size.
fn checkpoint(text: &str) -> (String, i64) {
    let header: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("a header");
    let note = header["checkpoint"].as_str().expect("a checkpoint").to_owned();
    let size = note.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size");
    (note, size)
}

/// A project in an organization, with a member who comes and goes.
async fn project(ada: &Person, grace: &Person) -> (String, String) {
    let acme = crate::organizations::organization(ada, "Acme").await;
    crate::organizations::add(ada, &acme, grace, "member").await;
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    ada.invite(&project, grace, "collaborator").await;
    let tasks = format!("/projects/{project}/tasks");
    let task = grace
        .post(&tasks, json!({"title": "Say \",\"data\": {}", "description": "Two\nlines \u{2028}"}))
        .await
        .is(201)
        .id();
    grace.post(&format!("{tasks}/{task}/comments"), json!({"body": "Soon."})).await.is(201);
    ada.delete(&format!("/projects/{project}/members/{}", grace.id)).await.is(204);
    (acme, project)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_project_proves_itself_and_no_other_form_of_it_does() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let other = ada.project("Another").await;
    let (_, project) = project(&ada, &grace).await;
    let folder = TempDir::new().expect("a folder");
    let address = format!("/projects/{project}/events/export");
    let reply = ada.get(&address).await.is(200);
    assert_eq!(reply.header("content-type"), "application/x-ndjson");
    assert_eq!(reply.header("content-disposition"), format!("attachment; filename=\"{project}.ndjson\""));
    let text = reply.text;
    let whole = file(&folder, "whole.ndjson", &text);
    let said = verified(verify(&whole, &[]).await);
    assert!(said.contains("every actor was allowed") && said.contains("the keys are the file's own"), "{said}");

    // The organization's events and the lives of those who act are there, and nothing else of other feeds.
    let (own, context): (Vec<_>, Vec<_>) = events(&text).into_iter().partition(|event| event["feedid"] == *project);
    assert!(own.iter().any(|event| event["type"] == "CommentPosted"));
    let kinds = ["AccountRegistered", "OrganizationCreated", "OrganizationMemberAdded"];
    assert!(context.iter().all(|event| kinds.contains(&event["type"].as_str().unwrap())), "{context:?}");
    assert!(!text.contains(&other), "nothing of another project");
    // The export itself is an event, behind what it has.
    assert!(ada.history(&project).await.iter().any(|event| event["event_type"] == "HistoryExported"));

    let header: Value = serde_json::from_str(text.lines().next().unwrap()).expect("a header");
    let key = header["keys"][0].as_str().expect("a key");
    assert!(!verified(verify(&whole, &["--key", key]).await).contains("the file's own"));
    let elsewhere = World::new().await;
    let foreign = elsewhere.server().await.client().get("/log/keys").await.is(200);
    let foreign = foreign.items()[0]["verifier"].as_str().expect("a key").to_owned();
    // (Databases of tests are copies of one, so that their logs have one id.)
    refuted(verify(&whole, &["--key", &foreign]).await, "signed by another key than the first one given");

    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let cut = file(&folder, "cut.ndjson", lines[..4].concat());
    refuted(verify(&cut, &[]).await, "the rest can be exported with --after");
    let cut = file(&folder, "cut_within.ndjson", &text[..text.len() / 2]);
    refuted(verify(&cut, &[]).await, "the file was cut");
    let edited = file(&folder, "edited.ndjson", text.replace("Soon.", "Late."));
    refuted(verify(&edited, &[]).await, "it is not what was hashed");
    let older = file(&folder, "older.ndjson", text.replacen("workroom.audit/1", "workroom.audit/0", 1));
    refuted(verify(&older, &[]).await, "the format workroom.audit/0");
    refuted(verify(&file(&folder, "empty.ndjson", ""), &[]).await, "the file is empty");
    let (code, said) = verify(&folder.path().join("nothing.ndjson"), &[]).await;
    assert_eq!(code, Some(2), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_where_another_ended_and_from_a_checkpoint_that_was_kept() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (acme, project) = project(&ada, &grace).await;
    let folder = TempDir::new().expect("a folder");
    let address = format!("/organizations/{acme}/events/export");
    let first = ada.get(&address).await.is(200).text;
    verified(verify(&file(&folder, "first.ndjson", &first), &[]).await);
    let (kept, size) = checkpoint(&first);
    let checkpoint_file = file(&folder, "checkpoint", kept);
    let kept = checkpoint_file.to_str().unwrap();
    // The export is an event of the organization, behind what it has.
    let noted = ada.get(&format!("/organizations/{acme}/events?type=HistoryExported")).await.is(200);
    let [noted] = noted.items().as_slice() else { panic!("one export: {}", noted.text) };
    let expected = json!({"type": "HistoryExported", "after": 0, "until": size});
    assert_eq!((&noted["actor"], &noted["data"]), (&json!(ada.id), &expected));

    ada.patch(&format!("/projects/{project}"), json!({"description": "later"})).await.is(200);
    for (address, others) in [(&address, true), (&format!("/projects/{project}/events/export"), false)] {
        let rest = ada.get(&format!("{address}?after={size}&consistency_from={size}")).await.is(200).text;
        let told = events(&rest);
        assert!(told.iter().any(|event| event["type"] == "ProjectUpdated"), "{rest}");
        assert_eq!(told.iter().any(|event| event["feedid"] == acme.as_str()), others, "{rest}");
        assert!(told.iter().all(|event| position(event) > size), "{rest}");
        let said = verified(verify(&file(&folder, "rest.ndjson", &rest), &["--checkpoint", kept]).await);
        assert!(said.contains("begins in the middle") && said.contains("older checkpoint"), "{said}");
        // Behind a position alone it holds, too; where the log was then is not told.
        let alone = ada.get(&format!("{address}?after={size}")).await.is(200).text;
        let alone = file(&folder, "alone.ndjson", alone);
        verified(verify(&alone, &[]).await);
        refuted(verify(&alone, &["--checkpoint", kept]).await, "--consistency-from");
    }
    // All of it again, with the proof, without it, and the first one as if the log had been rolled back.
    let again = ada.get(&format!("{address}?consistency_from={size}")).await.is(200).text;
    verified(verify(&file(&folder, "again.ndjson", &again), &["--checkpoint", kept]).await);
    let without = file(&folder, "without.ndjson", ada.get(&address).await.is(200).text);
    refuted(verify(&without, &["--checkpoint", kept]).await, "--consistency-from");
    let newest = file(&folder, "newest", checkpoint(&again).0);
    let first = folder.path().join("first.ndjson");
    refuted(verify(&first, &["--checkpoint", newest.to_str().unwrap()]).await, "rolled back");

    for (query, pointer) in [
        ("after=-1", "/after"),
        ("after=999999999", "/after"),
        ("consistency_from=0", "/consistency_from"),
        ("consistency_from=999999999", "/consistency_from"),
    ] {
        ada.get(&format!("{address}?{query}")).await.refused_field(pointer, "out-of-range");
    }
    grace.get(&address).await.refused("forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_goes_on_behind_a_position_and_from_a_checkpoint_that_was_kept() {
    let world = World::new().await;
    let (done, text) = world.command(&["audit", "export"]).await;
    assert!(!done && text.contains("the log is empty: there is nothing to export"), "{text}");

    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let export = async |name: &str, more: &[&str]| {
        let output = path(name);
        let (done, text) = world.command(&[&["audit", "export", "--output", &output][..], more].concat()).await;
        assert!(done, "{name}: {text}");
        std::fs::read_to_string(output).expect("a file")
    };
    let (kept, size) = checkpoint(&export("first.ndjson", &[]).await);
    let kept = file(&folder, "kept", kept);
    let kept = ["--checkpoint", kept.to_str().unwrap()];
    for description in ["later", "and later"] {
        ada.patch(&format!("/projects/{project}"), json!({"description": description})).await.is(200);
    }

    // An export of everything is itself what leads on from a checkpoint, unless it begins behind it.
    let [middle, last, behind] = [size / 2, size, size + 1].map(|position| position.to_string());
    for (after, arguments) in [
        (size / 2, vec!["--after", &middle]),
        (size, vec!["--after", &last]),
        (size + 1, vec!["--after", &behind, "--consistency-from", &last]),
        (0, vec!["--consistency-from", &last]),
    ] {
        let name = format!("behind_{after}.ndjson");
        let text = export(&name, &arguments).await;
        assert_eq!(position(&events(&text)[0]), after + 1);
        let name = path(&name);
        let said = verified(verify(Path::new(&name), &kept).await);
        assert!(said.contains(&format!("it goes on from the older checkpoint, of {size} events")), "{said}");
        let (code, judged) = audit("access", Path::new(&name), &[]).await;
        if after > 0 {
            assert!(said.contains("it begins in the middle"), "{said}");
            let why = format!("the file begins behind position {after}: who was allowed to what follows");
            assert!(code == Some(1) && judged.contains(&why), "{code:?}: {judged}");
        } else {
            assert!(said.contains("every actor was allowed"), "{said}");
            assert!(code == Some(0) && judged.contains(" 0 violations"), "{code:?}: {judged}");
        }
    }
    export("alone.ndjson", &["--after", &behind]).await;
    let said = verify(Path::new(&path("alone.ndjson")), &kept).await;
    refuted(said, &format!("export it with --consistency-from {size}"));

    // Nothing has happened behind the head.
    let head: i64 = sqlx::query_scalar("SELECT max(position) FROM events")
        .fetch_one(&world.pool().await)
        .await
        .expect("a position");
    let text = export("nothing.ndjson", &["--after", &head.to_string(), "--consistency-from", &last]).await;
    assert_eq!(events(&text), Vec::<Value>::new());
    let said = verified(verify(Path::new(&path("nothing.ndjson")), &kept).await);
    assert!(said.contains("there are no events in it") && said.contains("older checkpoint"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_exports_all_packed_or_not() {
    let world = World::new().await;
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (acme, project) = project(&ada, &grace).await;
    let (all, packed, of_project) = (path("all.ndjson"), path("all.ndjson.gz"), path("project.ndjson"));
    let of_organization = path("organization.ndjson");
    for arguments in [
        vec!["audit", "export", "--all", "--output", &all],
        vec!["audit", "export", "--gzip", "--output", &packed],
        vec!["audit", "export", "--project", &project, "--output", &of_project],
        vec!["audit", "export", "--organization", &acme, "--output", &of_organization],
    ] {
        let (done, text) = world.command(&arguments).await;
        assert!(done, "{arguments:?}: {text}");
    }
    assert!(!Path::new(&path("all.ndjson.part")).exists());
    for name in [&all, &packed, &of_project, &of_organization] {
        let said = verified(verify(Path::new(name), &[]).await);
        assert!(said.contains("every actor was allowed"), "{said}");
        let (proved, text) = world.command(&["audit", "access", name]).await;
        assert!(proved && text.contains(" 0 violations"), "{text}");
    }
    assert_eq!(std::fs::read(&packed).unwrap()[..2], [0x1f, 0x8b]);
    let (done, text) = world.command(&["audit", "export", "--project", &uuid::Uuid::now_v7().to_string()]).await;
    assert!(!done && text.contains("there is no such project"), "{text}");
    let (done, text) = world.command(&["audit", "export", "--after", "999999999"]).await;
    assert!(!done && text.contains("the log ends at position"), "{text}");

    // Packed on its way, too.
    let http = reqwest::Client::new();
    let reply = http
        .get(format!("http://{}/api/v1/projects/{project}/events/export", ada.address()))
        .bearer_auth(ada.token())
        .header("accept-encoding", "gzip")
        .send()
        .await
        .expect("a reply");
    assert_eq!(reply.headers()["content-encoding"], "gzip");
    let bytes = reply.bytes().await.expect("a body");
    verified(verify(&file(&folder, "sent.ndjson.gz", &bytes), &[]).await);
    let half = file(&folder, "half.ndjson.gz", &bytes[..bytes.len() / 2]);
    refuted(verify(&half, &[]).await, "cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_without_the_right_is_found_in_the_file() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (_, project) = project(&ada, &grace).await;
    ada.patch(&format!("/projects/{project}"), json!({"description": "allowed"})).await.is(200);
    let pool = world.pool().await;
    // Who was removed is made to have edited the project, by whoever can write to the log.
    let actor = format!("account:{}", grace.id);
    let planted = super::plant(&pool, &project, "ProjectUpdated", None, &actor).await;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("project.ndjson");
    let name = path.to_str().unwrap();
    let (done, text) = world.command(&["audit", "export", "--project", &project, "--output", name]).await;
    assert!(done, "{text}");
    refuted(verify(&path, &[]).await, &format!("position {planted}"));
    let (proved, text) = world.command(&["audit", "access", name]).await;
    let said = format!("position {planted}: ProjectUpdated by {actor}");
    assert!(!proved && text.contains(&said) && text.contains(" 1 violations"), "{text}");
}
