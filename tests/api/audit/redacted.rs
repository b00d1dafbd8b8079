//! Exports of what was redacted: two verifiers pass them, and miss it when what is left is changed.

use std::{io, path::Path, process::Stdio, sync::Mutex};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::process::Command;
use workroom::{
    audit::{
        export::{Asked, Export, ExportError, Scope, Sink},
        verify::{Failure, Options, Report, verify},
    },
    log_tree::Trees,
};
use workroom_domain::redaction::{TEXTS, WITHOUT_TEXTS};

use crate::support::{Client, World, eventually};

const CANARY: &str = "canary-51be";

fn verified(text: &str) -> Result<Report, Failure> {
    verify(text.as_bytes(), &Options::default())
}

/// Whether the JavaScript verifier passes an export.
async fn passes_javascript(text: &str) -> bool {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("export.ndjson");
    std::fs::write(&file, text).expect("a file");
    let output = Command::new("node")
        .args(["verify.mjs", "--json", file.to_str().expect("a path")])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/verify"))
        .stdin(Stdio::null())
        .output()
        .await
        .expect("node");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(said["ok"] == true, output.status.success(), "{said}");
    output.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_of_what_was_redacted_are_verified() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let acme = crate::organizations::organization(&ada, "Acme").await;
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    let tasks = format!("/projects/{project}/tasks");
    let task = ada.post(&tasks, json!({"title": format!("Call {CANARY}")})).await.is(201).id();
    ada.patch(&format!("/organizations/{acme}"), json!({"name": format!("Acme {CANARY}")})).await.is(200);
    let before = ada.get(&format!("/projects/{project}/events/export")).await.is(200).text;
    assert!(before.contains(CANARY));

    let seq_of = |events: &[Value], event_type: &str| {
        let found = events.iter().find(|event| event["event_type"] == event_type).expect("an event");
        found["seq"].as_i64().expect("a place")
    };
    let seq = seq_of(&ada.history(&project).await, "TaskCreated");
    let reason = json!({"reason": "A telephone number."});
    ada.post(&format!("/projects/{project}/events/{seq}/redact"), reason.clone()).await.is(201);
    let events = ada.get(&format!("/organizations/{acme}/events")).await.is(200).items().clone();
    let seq = seq_of(&events, "OrganizationUpdated");
    ada.post(&format!("/organizations/{acme}/events/{seq}/redact"), reason).await.is(201);
    ada.delete(&format!("{tasks}/{task}")).await.is(204);

    // An organization's own events are context in the export of its project: what redacts them is there, too.
    for address in [format!("/projects/{project}/events/export"), format!("/organizations/{acme}/events/export")] {
        let text = ada.get(&address).await.is(200).text;
        assert!(!text.contains(CANARY), "{address}");
        let report = verified(&text).unwrap_or_else(|failure| panic!("{address}: {failure}\n{text}"));
        assert_eq!((report.redacted, report.judged, report.unjudged), (2, true, 0), "{address}");
        assert!(passes_javascript(&text).await, "{address}");
        // What is left cannot be changed, nor who said what is left.
        for (this, that) in [("[redacted]", "[forgotten]"), ("A telephone", "No telephone")] {
            let other = text.replacen(this, that, 1);
            assert_ne!(other, text, "{this}");
            assert!(verified(&other).is_err(), "{that}");
            assert!(!passes_javascript(&other).await, "{that}");
        }
        let silent: String = text.split_inclusive('\n').filter(|line| !line.contains("PayloadRedacted")).collect();
        assert!(verified(&silent).is_err() && !passes_javascript(&silent).await);
    }
    // What was exported before holds as it did; who has it keeps it.
    assert_eq!(verified(&before).expect("it holds").redacted, 0);
    assert!(server.stop().await);
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(proved && text.contains(" 0 violations"), "{text}");
}

/// Redacts what an organization was founded with.
async fn redact_foundation(client: &Client, organization: &str) {
    let feed = format!("/organizations/{organization}/events");
    let created = client.get(&format!("{feed}?type=OrganizationCreated")).await.is(200).items()[0]["seq"].clone();
    client.post(&format!("{feed}/{created}/redact"), json!({"reason": "A name."})).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_export_of_a_project_says_who_redacted_its_organization_later() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = crate::organizations::organization(&ada, &format!("Acme {CANARY}")).await;
    crate::organizations::add(&ada, &acme, &grace, "admin").await;
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    ada.invite(&project, &grace, "collaborator").await;
    let tasks = format!("/projects/{project}/tasks");
    grace.post(&tasks, json!({"title": "Launch"})).await.is(201);
    // Whoever redacts was closed while the project was alive, and open again later.
    let (done, text) = world.command(&["accounts", "deactivate", &grace.email]).await;
    assert!(done, "{text}");
    ada.post(&tasks, json!({"title": "Land"})).await.is(201);
    let (done, text) = world.command(&["accounts", "reactivate", &grace.email]).await;
    assert!(done, "{text}");
    let signed_in =
        server.client().post("/auth/login", json!({"email": grace.email, "password": grace.password})).await;
    let grace = grace.with_token(signed_in.is(200).json["access_token"].as_str().expect("a token"));
    redact_foundation(&grace, &acme).await;

    let text = ada.get(&format!("/projects/{project}/events/export")).await.is(200).text;
    assert!(!text.contains(CANARY) && text.contains("PayloadRedacted"), "{text}");
    let report = verified(&text).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
    assert_eq!((report.redacted, report.judged, report.unjudged), (1, true, 0));
    assert!(passes_javascript(&text).await, "{text}");
}

async fn has_orders(pool: &PgPool) -> bool {
    let open = sqlx::query_scalar("SELECT EXISTS (SELECT FROM redaction_orders)");
    open.fetch_one(pool).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_export_of_a_purged_project_is_verified() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let acme = crate::organizations::organization(&ada, &format!("Acme {CANARY}")).await;
    let body = json!({"name": format!("Apollo {CANARY}"), "organization_id": acme});
    let project = ada.post("/projects", body).await.is(201).id();
    let path = format!("/projects/{project}");
    ada.post(&format!("{path}/tasks"), json!({"title": CANARY})).await.is(201);
    ada.delete(&path).await.is(204);
    ada.post(&format!("{path}/purge"), json!({"reason": "The contract is over."})).await.is(202);
    let pool = world.pool().await;
    eventually("the purge is done", async || !has_orders(&pool).await).await;
    redact_foundation(&ada, &acme).await;

    let text = ada.get(&format!("{path}/events/export")).await.is(200).text;
    assert!(!text.contains(CANARY), "{text}");
    let report = verified(&text).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
    assert_eq!((report.redacted, report.judged, report.unjudged), (3, true, 0));
    assert!(passes_javascript(&text).await, "{text}");
}

/// What the second verifier knows of which events can be redacted is written by hand.
#[tokio::test]
async fn both_verifiers_know_the_same_events_that_can_be_redacted() {
    let types: Vec<&str> =
        TEXTS.iter().map(|(event_type, _)| *event_type).chain(WITHOUT_TEXTS.iter().copied()).collect();
    let names = serde_json::to_string(&types).expect("JSON");
    let script = format!(
        "import {{ TEXTS }} from './verify.mjs';
         console.log(JSON.stringify({names}.filter((name) => TEXTS.test(name))));"
    );
    let output = Command::new("node")
        .args(["--input-type=module", "-e", &script])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/verify"))
        .stdin(Stdio::null())
        .output()
        .await
        .expect("node");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let known: Vec<String> = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected: Vec<&str> = TEXTS.iter().map(|(event_type, _)| *event_type).collect();
    assert_eq!(known, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_export_of_a_project_tells_who_was_erased_with_what_they_had_written_there() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let acme = crate::organizations::organization(&ada, "Acme").await;
    crate::organizations::add(&ada, &acme, &grace, "admin").await;
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    // An admin of the organization is no member: nothing in the project tells that she has left.
    grace.post(&format!("/projects/{project}/tasks"), json!({"title": CANARY})).await.is(201);
    let body = Some(json!({"password": grace.password}).to_string());
    grace.send(Method::DELETE, "/auth/me?content=redact", body).await.is(204);
    let pool = world.pool().await;
    eventually("what she wrote is redacted", async || !has_orders(&pool).await).await;

    let text = ada.get(&format!("/projects/{project}/events/export")).await.is(200).text;
    assert!(!text.contains(CANARY) && text.contains("AccountErased"), "{text}");
    let report = verified(&text).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
    assert_eq!((report.redacted, report.judged, report.unjudged), (1, true, 0));
    assert!(passes_javascript(&text).await, "{text}");
}

#[derive(Default)]
struct Kept(Vec<u8>);

impl Sink for Kept {
    async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.0.extend(bytes);
        Ok(())
    }

    async fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_meets_a_later_redaction_breaks_off_and_is_gone_on_with_behind_its_last_line() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let mut position = 0;
    // More events than are read at first, and more bytes than are handed on at a time.
    for number in 0..80 {
        let description = format!("{number} {}", "and so on ".repeat(150));
        position = ada.patch(&path, json!({"description": description})).await.is(200).position();
    }
    let seq = ada.history(&project).await.last().expect("an event")["seq"].clone();
    let pool = world.pool().await;
    let trees = Trees::new(pool.clone());
    let scope = Scope::Project(project.parse().expect("an id"));
    let asked = Asked { scope, after: 0, consistency_from: None };
    let told = Mutex::new(Vec::new());
    let progress = |position: i64| told.lock().expect("positions").push(position);

    let export = Export::prepare(&pool, &trees, &asked).await.expect("an export");
    let reason = json!({"reason": "A secret."});
    ada.post(&format!("{path}/events/{seq}/redact"), reason).await.is(201);
    let mut kept = Kept::default();
    let error = export.write(&mut kept, &progress).await.expect_err("what says so is behind its end");
    assert!(matches!(error, ExportError::Redacted { position: at } if at == position), "{position}: {error:?}");
    let text = String::from_utf8(kept.0).expect("UTF-8");
    assert!(text.ends_with('\n') && !text.contains(r#"{"end":"#), "whole lines, and no end");
    let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("an event");
    let last = last["position"].as_str().expect("a position");
    let failure = verified(&text).expect_err("it was cut");
    assert!(failure.to_string().contains(&format!("the rest can be exported with --after {last}")), "{failure}");

    let folder = TempDir::new().expect("a folder");
    let rest = folder.path().join("rest.ndjson");
    let name = rest.to_str().expect("a path");
    let (done, said) =
        world.command(&["audit", "export", "--project", &project, "--after", last, "--output", name]).await;
    assert!(done, "{said}");
    let rest = std::fs::read_to_string(&rest).expect("a file");
    let report = verified(&rest).unwrap_or_else(|failure| panic!("{failure}\n{rest}"));
    assert_eq!((report.after.to_string().as_str(), report.redacted, report.judged), (last, 1, false));
    assert!(passes_javascript(&rest).await, "{rest}");

    // What was told of how far it is ascends; of a whole one it ends at its end.
    let broken = std::mem::take(&mut *told.lock().expect("positions"));
    assert!(broken.is_sorted() && broken.last().is_some_and(|reached| *reached < position), "{broken:?}");
    let export = Export::prepare(&pool, &trees, &asked).await.expect("an export");
    let until = export.until();
    export.write(&mut Kept::default(), &progress).await.expect("a whole export");
    let whole = told.into_inner().expect("positions");
    assert!(whole.len() > 2 && whole.is_sorted() && whole[0] < position, "{whole:?}");
    assert_eq!(whole.last(), Some(&until));
}
