//! A purge of a project with one of everything in it. Once the tables are written anew, no file of the database has any of it.

use std::{collections::BTreeSet, path::Path, process::Output};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use sqlx::PgPool;
use tokio::process::Command;

use super::{
    are_gone,
    orders::{is_believed, orders_are_done},
    written::{create, in_project, rule, webhook},
};
use crate::support::{World, eventually};

const WORD: &str = "canary-on-disk";

/// Text that Postgres does not store any shorter, though it lies in pieces beside its row.
fn noise() -> String {
    let mut bytes = [0; 4500];
    aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
    STANDARD.encode(bytes)
}

/// Looks for the word in the files of a data folder. Those of the WAL are left out: they have what was written until they are recycled.
/// Only what is stored as it is can be found, and so is all that the test writes. Not covered is what Postgres compresses (rows of more
/// than two kilobytes, where they get shorter by it: kept states, long texts), and what is compressed before it is stored (exports). It
/// lies in the same tables, which other tests look through.
async fn look(folder: &Path) -> Output {
    Command::new("grep")
        .env("LC_ALL", "C")
        .args(["-raoh", "--exclude-dir=pg_wal", &format!("{WORD}-[a-z-]*")])
        .arg(folder)
        .output()
        .await
        .expect("grep")
}

fn words(found: &Output) -> BTreeSet<String> {
    String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
}

/// Has the database do things that only a superuser may.
async fn do_all(admin: &PgPool, statements: &[&str]) {
    for statement in statements {
        sqlx::query(statement).execute(admin).await.expect(statement);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_purged_project_nothing_is_left_in_any_table_or_file() {
    let world = World::with_own_postgres().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let fields = json!({"name": format!("{WORD}-project"), "description": format!("{WORD}-about")});
    let project = create(&ada, "/projects", fields).await;
    let written = in_project(&ada, &project, WORD).await;
    rule(&ada, &project, WORD).await;
    webhook(&ada, &project, WORD).await;
    let task = written.paths.iter().find(|path| path.contains("/tasks/")).expect("a task");
    let long = json!({"body": format!("{WORD}-long {}", noise())});
    create(&ada, &format!("{task}/comments"), long).await;

    let admin = PgPool::connect(&world.urls().admin).await.expect("a superuser");
    let postgres = world.services().postgres().expect("a Postgres of one's own");
    let folder = postgres.data_dir();
    do_all(&admin, &["CHECKPOINT"]).await;
    let before = words(&look(&folder).await);
    for what in [
        "project",
        "about",
        "title",
        "comment",
        "long",
        "workspace",
        "path",
        "content",
        "program",
        "program-stdin",
        "program-key",
        "schedule",
        "scheduled-anew",
        "rule",
        "webhook",
    ] {
        let word = format!("{WORD}-{what}");
        assert!(before.contains(&word), "{word} was never there: the test proves nothing: {before:?}");
    }

    ada.delete(&project).await.is(204);
    ada.post(&format!("{project}/purge"), json!({"reason": "over"})).await.is(202);
    let pool = world.pool().await;
    orders_are_done(&pool).await;
    are_gone(&pool, &[WORD]).await;
    is_believed(&ada, &project).await;
    assert!(server.stop().await);
    for command in [["audit", "access"], ["projections", "verify"]] {
        let (holds, text) = world.command(&command).await;
        assert!(holds, "{command:?}: {text}");
    }
    // Rows that are gone stay on the disk until all is written anew, and the old files until the next checkpoint. The planner's samples,
    // which the service makes anew after some time, are a table as well.
    eventually("no file has it", async || {
        do_all(&admin, &["ANALYZE", "VACUUM FULL", "CHECKPOINT"]).await;
        words(&look(&folder).await).is_empty()
    })
    .await;
    postgres.stop().await;
    let after = look(&folder).await;
    assert_eq!(after.status.code(), Some(1), "all files were read, and none has it: {after:?}");
}
