//! What is refused leaves nothing behind: who is not signed in, or may not, cannot make the database grow.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::{Cast, Expected, Row, Stage, meets, table};
use crate::support::{Person, Server, World, eventually};

/// How many rows each table has.
async fn rows(pool: &PgPool) -> BTreeMap<String, i64> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
             -- They follow the log, whatever is asked.
             AND tablename NOT IN ('log_leaves', 'log_nodes', 'log_feed_sizes', 'log_checkpoints', 'log_tree_epochs')",
    )
    .fetch_all(pool)
    .await
    .expect("tables");
    let mut counts = BTreeMap::new();
    for table in tables {
        let count = sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(pool).await;
        counts.insert(table, count.expect("a count"));
    }
    counts
}

/// A stage that is nowhere.
fn nowhere() -> Stage {
    let id = || Uuid::now_v7().to_string();
    Stage {
        organization: id(),
        project: id(),
        job: id(),
        task: id(),
        comment: id(),
        workspace: id(),
        file: id(),
        invitation: id(),
        schedule: id(),
        webhook: id(),
    }
}

/// Waits until every snapshot is written that was offered before: they are written in the order in which they are offered.
async fn snapshots_are_written(server: &Server, pool: &PgPool) -> Person {
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    for reply in join_all((0..120).map(|n| ada.patch(&path, json!({"description": format!("{n}")})))).await {
        reply.is(200);
    }
    eventually("a snapshot", async || {
        let found = sqlx::query_scalar("SELECT count(*) FROM aggregate_snapshots WHERE aggregate_id = $1");
        let found: i64 = found.bind(&project).fetch_one(pool).await.expect("a count");
        found > 0
    })
    .await;
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_nothing_behind() {
    let world = World::new().await;
    let server = world.server().await;
    let brief = world.server_with(&[], &[("WORKROOM_ACCESS_TOKEN_SECONDS", "1")]).await;
    let cast = Cast::gather(&server, &brief).await;
    let private = Stage { job: Uuid::now_v7().to_string(), ..cast.project(false, false).await };
    let organization = cast.organization().await;
    let pool = world.pool().await;
    snapshots_are_written(&server, &pool).await;
    let before = rows(&pool).await;

    let mut refused = 0;
    for row in &table() {
        let (_, path, _, expected): &Row = row;
        for (who, client) in &cast.outsiders {
            if !matches!(expected, Expected::Open(_)) {
                meets(client, who, row, &private, &cast, 401).await;
                refused += 1;
            }
        }
        let stages = match expected {
            Expected::Project(_) => [&private, &nowhere()].map(Clone::clone),
            Expected::Organization(_) => [&organization, &nowhere()].map(Clone::clone),
            Expected::Own(_) | Expected::Open(_) => continue,
        };
        for stage in &stages {
            meets(&cast.stranger, "stranger", row, stage, &cast, 404).await;
            refused += 1;
        }
        for suffix in ["?skip=100000", "?actor=system:worker", "?type=Nothing"] {
            if !["/jobs", "/jobs/rules", "/schedules"].contains(path)
                && path.ends_with("/events") != suffix.starts_with("?skip")
            {
                let path = path.replace("{project_id}", &private.project);
                let path = path.replace("{organization_id}", &organization.organization);
                assert!(cast.stranger.get(&format!("{path}{suffix}")).await.status >= 400);
            }
        }
    }
    assert!(refused > 200, "{refused}");

    let ada = snapshots_are_written(&server, &pool).await;
    drop(ada);
    let after = rows(&pool).await;
    // Somebody registered, created a project, and edited it.
    let grown: Vec<_> =
        after.iter().filter(|(table, count)| **count > before[*table]).map(|(name, _)| name.as_str()).collect();
    let expected = [
        "public.accounts",
        "public.aggregate_snapshots",
        "public.events",
        "public.invitation_tokens",
        "public.mail_tokens",
        "public.mails",
        "public.sessions",
        "public.throttles",
        "views.members",
        "views.organization_members",
        "views.organizations",
        "views.projects",
        "views.rosters",
    ];
    for table in &grown {
        assert!(expected.contains(table), "{table} has grown");
    }
    let grew = |table: &str| after[table] - before[table];
    assert_eq!(grew("public.aggregate_snapshots"), 1, "the project's");
    // Its project: created, with its creator on the membership, and edited. Its account: registered, signed in, and its
    // organization. One edit may have been the same as the one before it.
    assert!(grew("public.events") <= 2 + 120 + 4, "{}", grew("public.events"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_behind_is_swept() {
    let world = World::new().await;
    let pool = world.pool().await;
    sqlx::query("INSERT INTO aggregate_snapshots VALUES ('project', 'nobody', 0, 1, '{}')")
        .execute(&pool)
        .await
        .expect("a snapshot");
    let _server = world.server().await;
    eventually("only what may still be needed is left", async || {
        let snapshots: i64 =
            sqlx::query_scalar("SELECT count(*) FROM aggregate_snapshots").fetch_one(&pool).await.expect("a count");
        snapshots == 0
    })
    .await;
}
