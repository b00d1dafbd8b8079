//! `GET /projects/{project_id}/events`: what happened, in the order in which it happened.

mod names;
mod narrowed;
mod single;

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::support::{Person, Reply, World, eventually};

fn seqs(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["seq"].as_i64().expect("a seq")).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event_type"].as_str().expect("a type")).collect()
}

/// A time of an event, fit for a query string.
fn time(event: &Value) -> String {
    event["recorded_at"].as_str().expect("a time").replace('+', "%2B")
}

/// A project that Ada created, Grace joined, and both edited: seven events.
async fn story(ada: &Person, grace: &Person) -> String {
    let project = ada.project("Apollo").await;
    ada.invite(&project, grace, "collaborator").await;
    let path = format!("/projects/{project}");
    for (person, name) in [(grace, "One"), (ada, "Two"), (grace, "Three"), (ada, "Four")] {
        person.patch(&path, json!({"name": name})).await.is(200);
    }
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_tells_who_did_what_when_in_order() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let id = Uuid::now_v7().to_string();
    let creation = ada.with_header("x-request-id", &id).post("/projects", json!({"name": "Apollo"})).await.is(201);
    let project = creation.id();
    ada.invite(&project, &grace, "viewer").await;
    let reply = ada.get(&format!("/projects/{project}/events")).await.is(200);
    let events = reply.items();
    assert_eq!(types(events), ["ProjectCreated", "MemberAdded", "MemberAdded"]);
    assert_eq!(seqs(events), [1, 2, 3]);
    let expected: HashSet<_> = "position seq event_id feed_id event_type event_version aggregate_type aggregate_id \
                                sequence occurred_at recorded_at actor actor_name actor_status correlation_id data"
        .split_whitespace()
        .collect();
    let mut ids = HashSet::new();
    for event in events {
        assert_eq!(event.as_object().unwrap().keys().map(String::as_str).collect::<HashSet<_>>(), expected);
        assert_eq!(event["feed_id"], project);
        assert_eq!(event["actor"], ada.id);
        assert!(ids.insert(&event["event_id"]));
        for when in ["occurred_at", "recorded_at"] {
            assert!(event[when].as_str().unwrap().ends_with('Z'), "UTC: {event}");
        }
    }
    assert_eq!(events[0]["correlation_id"], id);
    assert_eq!(events[1]["correlation_id"], id);
    assert_eq!(events[1]["position"], creation.position());
    assert_eq!(events[0]["occurred_at"], creation.json["created_at"]);
    assert_eq!(events[0]["data"]["name"], "Apollo");
    assert!(events.is_sorted_by_key(|event| event["position"].as_i64()));
    assert!(events.is_sorted_by_key(|event| event["recorded_at"].as_str()));
    assert!(!reply.text.contains("example.com"), "no personal data");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_has_no_hole_whoever_writes_at_once() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let projects = [ada.project("One").await, ada.project("Two").await];
    let edits = (0..40).map(|n| {
        let (ada, path) = (&ada, format!("/projects/{}", projects[n % 2]));
        async move { ada.patch(&path, json!({"description": format!("Edit {n}")})).await }
    });
    for reply in join_all(edits).await {
        reply.is(200);
    }
    for project in &projects {
        let history = ada.history(project).await;
        assert_eq!(seqs(&history), (1..=22).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_can_be_read_page_by_page() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = story(&ada, &grace).await;
    let path = format!("/projects/{project}/events");
    let page = async |query: &str| ada.get(&format!("{path}?{query}")).await.is(200);
    let first = page("limit=3").await;
    assert_eq!(seqs(first.items()), [1, 2, 3]);
    assert_eq!(first.json["next_after"], 3);
    assert_eq!(first.json["next_cursor"], "3");
    let second = page("limit=3&after=3").await;
    assert_eq!(seqs(second.items()), [4, 5, 6]);
    let by_cursor = page("limit=3&cursor=3").await;
    assert_eq!(by_cursor.text, second.text);
    let last = page("limit=3&after=6").await;
    assert_eq!(seqs(last.items()), [7]);
    assert_eq!((&last.json["next_after"], &last.json["next_cursor"]), (&Value::Null, &Value::Null));
    assert_eq!(page("limit=7").await.json["next_after"], Value::Null, "a page that ends with the history");
    assert_eq!(seqs(page("after=2&before=5").await.items()), [3, 4]);
    assert_eq!(seqs(page("before=2").await.items()), [1]);
    assert_eq!(seqs(page("after=7").await.items()), Vec::<i64>::new());
    assert_eq!(seqs(page("after=0").await.items()).len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_seen_by_whoever_may_see_the_project() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}/events");
    for role in ["viewer", "collaborator", "owner"] {
        let member = server.person(role).await;
        ada.invite(&project, &member, role).await;
        member.get(&path).await.is(200);
    }
    ada.invite(&project, &grace, "viewer").await;
    eve.get(&path).await.problem(404);
    server.client().get(&path).await.problem(401);
    ada.delete(&format!("/projects/{project}/members/{}", grace.id)).await.is(204);
    grace.get(&path).await.problem(404);
    ada.patch(&format!("/projects/{project}"), json!({"is_public": true})).await.is(200);
    let job = ada.run_python("print('a secret recipe')", Some(&project)).await;
    // The feed is at rest once the job is over: both read the same stretch of it.
    ada.finished(&job).await;
    let replies: Vec<Reply> = join_all([eve.get(&path), ada.get(&path)]).await;
    let (visitors, members) = (replies[0].items(), replies[1].items());
    assert_eq!(visitors.len(), members.len());
    assert!(visitors.len() >= 11, "{visitors:?}");
    for (seen, whole) in visitors.iter().zip(members) {
        for field in ["seq", "position", "event_id", "event_type", "actor", "recorded_at"] {
            assert_eq!(seen[field], whole[field], "a visitor reads the same history");
        }
        let is_open = whole["aggregate_type"] == "project";
        assert_eq!(seen["data"] == whole["data"], is_open, "but neither membership nor programs: {seen}");
    }
    assert!(!replies[0].text.contains("secret recipe"), "{}", replies[0].text);
    server.client().get(&path).await.problem(401);
    // A feed that is no project's cannot be read through a project's address.
    ada.get(&format!("/projects/{}/events", ada.id)).await.problem(404);
    ada.get(&format!("/projects/{}/events", Uuid::now_v7())).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_waits_for_the_position_it_is_asked_for() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let reply = ada.post("/projects", json!({"name": "Apollo"})).await.is(201);
    let (path, position) = (format!("/projects/{}/events", reply.id()), reply.position());
    let now = ada.get(&format!("{path}?min_position={position}")).await.is(200);
    assert_eq!(now.items().len(), 2);
    let (ahead, project) = (format!("{path}?min_position={}", position + 1), format!("/projects/{}", reply.id()));
    let (waited, renamed) = tokio::join!(ada.get(&ahead), ada.patch(&project, json!({"name": "B"})));
    renamed.is(200);
    assert_eq!(types(waited.is(200).items()).len(), 3, "it came with what it waited for");
    ada.get(&format!("{path}?min_position={}", position + 1_000_000)).await.problem(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_of_a_history_for_who_may_not_see_it() {
    const EVENTS: i64 = 5000;
    const REQUESTS: i64 = 40;
    let world = World::with_own_postgres().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let acme = ada.post("/organizations", json!({"name": "Acme"})).await.is(201).id();
    let pool = world.pool().await;
    for feed in [&project, &acme] {
        // Tasks that no view knows, and so passes over.
        sqlx::query(
            r#"INSERT INTO events
               SELECT (SELECT max(position) FROM events) + n, gen_random_uuid(), $1::text::uuid,
                      (SELECT max(feed_seq) FROM events WHERE feed_id = $1::text::uuid) + n, 'task', gen_random_uuid()::text, 1,
                      'TaskUpdated', '1', '{"type": "TaskUpdated", "changes": {}}', metadata, recorded_at
               FROM (SELECT * FROM events ORDER BY position DESC LIMIT 1) last, generate_series(1, $2) n"#,
        )
        .bind(feed)
        .bind(EVENTS)
        .execute(&pool)
        .await
        .expect("events");
    }
    let position: i64 =
        sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&pool).await.expect("the head");
    eventually("the views have passed over them", async || {
        let behind = "SELECT EXISTS (SELECT FROM projection_checkpoints WHERE position < $1)";
        !sqlx::query_scalar::<_, bool>(behind).bind(position).fetch_one(&pool).await.expect("an answer")
    })
    .await;
    let whole = ada.get(&format!("/projects/{project}/events?limit=100")).await.is(200);
    assert_eq!(whole.items().len(), 100);
    pool.close().await;
    // What a process has read is counted when its connections are gone.
    let read = async || -> i64 {
        let mut connection = PgConnection::connect(&world.database_url).await.expect("a connection");
        for _ in 0..2000 {
            let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'workroom'";
            let connected: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.expect("a count");
            if connected == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        sqlx::query_scalar("SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_user_tables WHERE relname = 'events'")
            .fetch_one(&mut connection)
            .await
            .expect("a count")
    };
    assert!(server.stop().await, "an end");
    let before = read().await;
    // One that does nothing but answer.
    let server = world.server_with(&["--roles", "api"], &[]).await;
    let eve = eve.at(&server.address);
    for query in ["", "?actor=system:worker", "?type=Nothing", "?from=2999-01-01T00:00:00Z"] {
        for feed in [format!("/projects/{project}"), format!("/organizations/{acme}")] {
            let path = format!("{feed}/events{query}");
            for reply in join_all((0..REQUESTS / 8).map(|_| eve.get(&path))).await {
                reply.problem(404);
            }
        }
    }
    assert!(server.stop().await, "an end");
    let fetched = read().await - before;
    eprintln!("{fetched} rows of the log read for {REQUESTS} refusals and a start");
    assert!(fetched < EVENTS / 5, "{fetched} rows were read");
}
