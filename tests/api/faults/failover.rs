//! The database fails over to an older copy of itself, while the service runs.

use std::{path::Path, time::Duration};

use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;
use workroom::audit::verify::{Options, verify};

use crate::support::{Server, World, dump, eventually};

/// A folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").args(["-a", "--"]).arg(from).arg(to).status();
    assert!(copied.expect("cp").success());
}

async fn epoch(url: &str) -> Uuid {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    sqlx::query_scalar("SELECT epoch FROM log_epoch").fetch_one(&mut connection).await.expect("an epoch")
}

/// A service, and a copy of its data; what happens after [`Copied::begin`] is lost by [`Copied::fail_over`].
struct Copied {
    world: World,
    here: Server,
    there: Server,
    folder: tempfile::TempDir,
}

impl Copied {
    async fn begin() -> Self {
        let world = World::with_own_postgres().await;
        let (here, there) = (world.server().await, world.server().await);
        Self { world, here, there, folder: tempfile::tempdir().expect("a folder") }
    }

    async fn copy(&self) {
        let postgres = self.world.services().postgres().expect("a Postgres of one's own");
        postgres.stop().await;
        copy(&postgres.data_dir(), &self.folder.path().join("older"));
        postgres.restart().await.expect("Postgres again");
        eventually("ready", async || self.here.client().get("//ready").await.status == 200).await;
        eventually("ready", async || self.there.client().get("//ready").await.status == 200).await;
    }

    async fn fail_over(&self) {
        let postgres = self.world.services().postgres().expect("a Postgres of one's own");
        postgres.stop().await;
        let data = postgres.data_dir();
        std::fs::remove_dir_all(&data).expect("the newer one gone");
        copy(&self.folder.path().join("older"), &data);
        postgres.restart().await.expect("Postgres again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_lost_future_is_believed() {
    let stage = Copied::begin().await;
    let ada = stage.here.person("ada").await;
    let grace = stage.here.person("grace").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let members = format!("{path}/members");
    ada.patch(&path, json!({"description": "before"})).await.is(200);
    stage.copy().await;
    let before = epoch(&stage.world.database_url).await;
    // In the future that will be lost Grace belongs to the project, and both instances have seen it.
    ada.post(&members, json!({"email": grace.email, "role": "collaborator"})).await.is(201);
    for server in [&stage.here, &stage.there] {
        grace.at(&server.address).patch(&path, json!({"description": "lost"})).await.is(200);
    }
    stage.fail_over().await;
    // In the other one somebody else does: the memberships have come equally far, and are not the same.
    let eve = {
        for server in [&stage.here, &stage.there] {
            eventually("ready", async || server.client().get("//ready").await.status == 200).await;
        }
        stage.here.person("eve").await
    };
    ada.post(&members, json!({"email": eve.email, "role": "viewer"})).await.is(201);
    for server in [&stage.here, &stage.there] {
        let grace = grace.at(&server.address);
        let reply = grace.patch(&path, json!({"description": "of a stranger"})).await;
        assert_eq!(reply.status, 404, "{}", reply.text);
        let reply = eve.at(&server.address).patch(&path, json!({"description": "of a viewer"})).await;
        assert_eq!(reply.status, 403, "{}", reply.text);
        // The views may be behind for a while. What is told to be visible is.
        eventually("a change is visible", async || {
            let after = Uuid::now_v7().to_string();
            let reply = ada.at(&server.address).patch(&path, json!({"description": &after})).await.is(200);
            let shown = ada.at(&stage.there.address).get(&path).await.is(200);
            let is_told = reply.header("workroom-visible").is_empty();
            assert!(!is_told || shown.json["description"] == after.as_str(), "{}", shown.text);
            is_told
        })
        .await;
    }
    assert_ne!(epoch(&stage.world.database_url).await, before, "history was lost: another epoch begins");
    let pool = stage.world.pool().await;
    super::load::assert_proved(&stage.world, &pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redaction_that_was_lost_can_be_done_again() {
    let stage = Copied::begin().await;
    let ada = stage.here.person("ada").await;
    let (project, over) = (ada.project("Apollo").await, ada.project("canary-of-the-purged").await);
    let feed = format!("/projects/{project}");
    ada.patch(&feed, json!({"description": "canary-of-the-event"})).await.is(200);
    ada.delete(&format!("/projects/{over}")).await.is(204);
    let changed = ada.get(&format!("{feed}/events?type=ProjectUpdated")).await.is(200).items()[0]["seq"].clone();
    stage.copy().await;
    let redact = async |server: &Server, key: &str| {
        let caller = ada.at(&server.address).with_header("idempotency-key", key);
        caller.post(&format!("{feed}/events/{changed}/redact"), json!({"reason": "by mistake"})).await.is(201)
    };
    let purge = async || {
        ada.post(&format!("/projects/{over}/purge"), json!({"reason": "over"})).await.is(202);
        let pool = stage.world.pool().await;
        eventually("no order is open", async || {
            let open: i64 =
                sqlx::query_scalar("SELECT count(*) FROM redaction_orders").fetch_one(&pool).await.expect("one");
            open == 0
        })
        .await;
    };
    let description = async |server: &Server| {
        let shown = ada.at(&server.address).get(&feed).await.is(200).json;
        shown["description"].as_str().expect("a text").to_owned()
    };
    redact(&stage.here, "once").await;
    purge().await;
    for server in [&stage.here, &stage.there] {
        assert_eq!(description(server).await, "[redacted]");
    }
    stage.fail_over().await;
    for server in [&stage.here, &stage.there] {
        eventually("ready", async || server.client().get("//ready").await.status == 200).await;
        // The older copy has the text, and nobody says otherwise.
        assert_eq!(description(server).await, "canary-of-the-event");
    }
    // Under the key of the redaction that was lost as well: its receipt was lost with it.
    let again = redact(&stage.there, "once").await;
    assert_eq!(again.header("idempotent-replayed"), "");
    purge().await;
    for server in [&stage.here, &stage.there] {
        assert_eq!(description(server).await, "[redacted]");
    }
    let pool = stage.world.pool().await;
    eventually("the texts are nowhere", async || !dump(&pool).await.contains("canary-of-the")).await;
    super::load::assert_proved(&stage.world, &pool).await;
    let export = ada.get(&format!("{feed}/events/export")).await.is(200).text;
    verify(export.as_bytes(), &Options::default()).unwrap_or_else(|failure| panic!("{failure}\n{export}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_that_loses_nothing_begins_no_epoch() {
    let world = World::with_own_postgres().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let before = epoch(&world.database_url).await;
    let postgres = world.services().postgres().expect("a Postgres of one's own");
    for round in 0..3 {
        let text = format!("round {round}");
        ada.patch(&format!("/projects/{project}"), json!({"description": text})).await.is(200);
        postgres.kill9().await;
        postgres.restart().await.expect("Postgres again");
        let edit = json!({"description": format!("after {round}")});
        let path = format!("/projects/{project}");
        let since = std::time::Instant::now();
        eventually("commands are taken again", async || ada.patch(&path, edit.clone()).await.status == 200).await;
        assert!(since.elapsed() < Duration::from_secs(20));
    }
    assert_eq!(epoch(&world.database_url).await, before);
    let pool = world.pool().await;
    super::load::assert_proved(&world, &pool).await;
}
