//! What a redaction meets beside the event: others that name the same, samples of the planner, and those who would misuse it.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{are_gone, events, redact};
use crate::support::{World, eventually};

/// Whether the planner has a sample of a text.
async fn is_sampled(pool: &PgPool, text: &str) -> bool {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_stats WHERE strpos(COALESCE(most_common_vals::text, ''), $1) > 0
                        OR strpos(COALESCE(histogram_bounds::text, ''), $1) > 0)",
    )
    .bind(text)
    .fetch_one(pool)
    .await
    .expect("statistics")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sample_of_the_planner_has_what_was_redacted() {
    let world = World::new().await;
    // Who makes samples anew rests for a minute then: it begins when all is redacted.
    let server = world.server_with(&["--roles", "api,live,projector,relay"], &[]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = format!("/projects/{project}");
    for number in 0..8 {
        ada.post(&format!("{feed}/tasks"), json!({"title": format!("canary-{number}")})).await.is(201);
    }
    let pool = PgPool::connect(&world.urls().admin).await.expect("a superuser");
    sqlx::query("ANALYZE").execute(&pool).await.expect("samples");
    assert!(is_sampled(&pool, "canary-").await, "it was never there: the test proves nothing");
    for event in events(&ada, &feed, "TaskCreated").await {
        redact(&ada, &feed, &event["seq"]).await.is(201);
    }
    are_gone(&pool, &["canary-"]).await;
    assert!(is_sampled(&pool, "canary-").await, "nobody makes samples anew: the test proves nothing");
    let _scheduler = world.server_without_worker().await;
    eventually("no sample has it", async || !is_sampled(&pool, "canary-").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_stays_as_long_as_another_event_names_it() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = format!("/projects/{project}");
    let workspace = ada.post(&format!("{feed}/workspaces"), json!({"name": "Lab"})).await.is(201).id();
    let files = format!("{feed}/workspaces/{workspace}/files");
    let file = ada.post(&files, json!({"path": "a.txt", "content": "canary-first"})).await.is(201).id();
    let content = format!("{files}/{file}/content");
    let writer = ada.with_header("content-type", "text/plain; charset=utf-8");
    let write = async |text: &str| writer.send(Method::PUT, &content, Some(text.to_owned())).await.is(200);
    write("second").await;
    write("canary-first").await;
    let written = events(&ada, &feed, "FileContentWritten").await;
    let named: Vec<&Value> = written.iter().filter(|event| event["data"]["size"] == 12).collect();
    let [first, last] = named.as_slice() else { panic!("two: {written:?}") };
    redact(&ada, &feed, &first["seq"]).await.is(201);
    assert_eq!(ada.get(&content).await.is(200).text, "canary-first", "it is what the last event says");
    redact(&ada, &feed, &last["seq"]).await.is(201);
    ada.get(&content).await.refused("content-redacted");
    are_gone(&world.pool().await, &["canary-first"]).await;
    // Written anew, it is there again.
    write("canary-first").await;
    assert_eq!(ada.get(&content).await.is(200).text, "canary-first");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_whose_projects_were_deleted_and_redacted_can_be_deleted() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let acme = ada.post("/organizations", json!({"name": "Acme", "slug": "acme"})).await.is(201).id();
    let project = ada.post("/projects", json!({"name": "Apollo", "organization_id": acme})).await.is(201).id();
    let feed = format!("/projects/{project}");
    ada.delete(&feed).await.is(204);
    let [created]: [Value; 1] = events(&ada, &feed, "ProjectCreated").await.try_into().expect("one project");
    redact(&ada, &feed, &created["seq"]).await.is(201);
    ada.delete(&format!("/organizations/{acme}")).await.is(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_not_changed_by_calling_it_a_redaction() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "viewer").await;
    let pool = world.pool().await;
    eventually("the tree has all of it", async || {
        let missing: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM events e WHERE NOT EXISTS (SELECT FROM log_leaves l WHERE l.position = e.position))",
        )
        .fetch_one(&pool)
        .await
        .expect("an answer");
        !missing
    })
    .await;
    let forged = async |event_type: &str, from: &str, to: &str| -> bool {
        sqlx::query_scalar(
            "SELECT redact_payload(position, event_id, replace(payload::text, $2, $3)) FROM events
             WHERE event_type = $1 AND strpos(payload::text, $2) > 0 LIMIT 1",
        )
        .bind(event_type)
        .bind(from)
        .bind(to)
        .fetch_one(&pool)
        .await
        .expect("an answer")
    };
    assert!(!forged("MemberAdded", "viewer", "owner").await, "a role is no text");
    assert!(!forged("ProjectCreated", "Apollo", "Artemis").await, "a text gives way to its placeholder alone");
    assert!(!forged("ProjectCreated", "\"name\"", "\"title\"").await, "a field keeps its name");
    assert!(!forged("ProjectCreated", "Apollo", "Apollo").await, "nothing is taken out");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_take_turns() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (large, small) = (ada.project("Large").await, grace.project("Small").await);
    let path = format!("/projects/{large}");
    // More than one portion of events with texts.
    let change = |number: usize| ada.patch(&path, json!({"description": format!("Change {number}")}));
    for some in (0..520).collect::<Vec<usize>>().chunks(16) {
        for reply in futures::future::join_all(some.iter().map(|number| change(*number))).await {
            reply.is(200);
        }
    }
    ada.delete(&path).await.is(204);
    grace.delete(&format!("/projects/{small}")).await.is(204);
    assert!(server.stop().await);
    let pool = world.pool().await;
    for (feed, ordered) in [(&large, "2 minutes"), (&small, "1 minute")] {
        sqlx::query(
            "INSERT INTO redaction_orders (id, feed_id, reason, ordered_at)
             VALUES (gen_random_uuid(), $1::uuid, 'over', now() - $2::interval)",
        )
        .bind(feed)
        .bind(ordered)
        .execute(&pool)
        .await
        .expect("an order");
    }
    let _server = world.server_without_worker().await;
    are_gone(&pool, &["Change 5", "Small"]).await;
    let place = async |pick: &str, feed: &str| -> i64 {
        sqlx::query_scalar(&format!(
            "SELECT {pick}(position) FROM events WHERE event_type = 'PayloadRedacted' AND feed_id = $1::uuid"
        ))
        .bind(feed)
        .fetch_one(&pool)
        .await
        .expect("a position")
    };
    assert!(place("min", &small).await < place("max", &large).await, "the small one waits for the large one");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_redacted_keeps_its_order_open_and_no_other_waiting() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = format!("/projects/{project}");
    let broken = ada.post(&format!("{feed}/tasks"), json!({"title": "canary-broken"})).await.is(201).id();
    ada.post(&format!("{feed}/tasks"), json!({"title": "canary-whole"})).await.is(201);
    ada.delete(&feed).await.is(204);
    assert!(server.stop().await);
    let pool = PgPool::connect(&world.urls().admin).await.expect("a superuser");
    let rename = async |from: &str, to: &str| {
        let mut connection = pool.acquire().await.expect("a connection");
        let statements = format!(
            "SET session_replication_role = replica;
             UPDATE events SET payload = replace(payload::text, '\"{from}\"', '\"{to}\"')::json
             WHERE aggregate_id = '{broken}' AND event_type = 'TaskCreated';
             RESET session_replication_role"
        );
        sqlx::raw_sql(&statements).execute(&mut *connection).await.expect("a change");
    };
    // Unreadable, as for a process of an older version.
    rename("status", "condition").await;
    sqlx::query("INSERT INTO redaction_orders (id, feed_id, reason) VALUES (gen_random_uuid(), $1::uuid, 'over')")
        .bind(&project)
        .execute(&pool)
        .await
        .expect("an order");
    let _server = world.server_without_worker().await;
    are_gone(&pool, &["canary-whole", "Apollo"]).await;
    let failed = async || -> Vec<i64> {
        sqlx::query_scalar("SELECT unnest(failed) FROM redaction_orders").fetch_all(&pool).await.expect("an order")
    };
    eventually("it is set aside", async || failed().await.len() == 1).await;
    rename("condition", "status").await;
    // Nobody has to wait for an hour.
    sqlx::query("UPDATE redaction_orders SET leased_until = NULL").execute(&pool).await.expect("an order");
    are_gone(&pool, &["canary-broken"]).await;
    eventually("the order is done", async || failed().await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_salt_is_gone_keeps_no_other_waiting() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = format!("/projects/{project}");
    let broken = ada.post(&format!("{feed}/tasks"), json!({"title": "canary-broken"})).await.is(201).id();
    ada.post(&format!("{feed}/tasks"), json!({"title": "canary-whole"})).await.is(201);
    ada.delete(&feed).await.is(204);
    let pool = PgPool::connect(&world.urls().admin).await.expect("a superuser");
    // The database refuses to redact it, as if it had been redacted.
    let statements = format!(
        "SET session_replication_role = replica;
         UPDATE log_leaves l SET salt = NULL, commitment = l.hash FROM events e
         WHERE e.position = l.position AND e.aggregate_id = '{broken}' AND e.event_type = 'TaskCreated';
         RESET session_replication_role"
    );
    eventually("its leaf is there", async || {
        let mut connection = pool.acquire().await.expect("a connection");
        sqlx::raw_sql(&statements).execute(&mut *connection).await.expect("a change");
        let gone: i64 = sqlx::query_scalar("SELECT count(*) FROM log_leaves WHERE salt IS NULL")
            .fetch_one(&pool)
            .await
            .expect("a count");
        gone == 1
    })
    .await;
    // It was tried often enough.
    sqlx::query(
        "INSERT INTO redaction_orders (id, feed_id, reason, tries) VALUES (gen_random_uuid(), $1::uuid, 'over', 9)",
    )
    .bind(&project)
    .execute(&pool)
    .await
    .expect("an order");
    are_gone(&pool, &["canary-whole"]).await;
    eventually("it is set aside", async || {
        let failed: i64 =
            sqlx::query_scalar("SELECT COALESCE(sum(cardinality(failed)), 0)::bigint FROM redaction_orders")
                .fetch_one(&pool)
                .await
                .expect("a count");
        failed == 1
    })
    .await;
}
