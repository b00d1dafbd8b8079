//! `project_export`: a project's history in files.

use std::{collections::BTreeSet, io::Read};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use super::lifecycle::with;
use crate::{
    faults::load::assert_proved,
    support::{Person, World, published},
};

/// The bytes of all files that a job has left, one behind the other.
async fn left(person: &Person, job: &Value) -> Vec<u8> {
    let http = reqwest::Client::new();
    let mut bytes = Vec::new();
    for file in job["result"]["artifacts"].as_array().expect("artifacts") {
        let (id, path) = (job["id"].as_str().expect("an id"), file["path"].as_str().expect("a path"));
        let url = format!("http://{}/api/v1/jobs/{id}/artifacts?path={path}", person.address());
        let reply = http.get(url).bearer_auth(person.token()).send().await.expect("a reply");
        assert_eq!(reply.status(), 200);
        bytes.extend_from_slice(&reply.bytes().await.expect("a body"));
    }
    bytes
}

/// The events of an export: files one behind the other are one file.
fn read(bytes: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    MultiGzDecoder::new(bytes).read_to_string(&mut text).expect("gzip");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What an export says of itself.
fn told(job: &Value) -> Value {
    serde_json::from_str(job["result"]["stdout"].as_str().expect("an output")).expect("JSON")
}

async fn export(person: &Person, project: &str, after: i64) -> Value {
    let job = json!({"type": "project_export", "project_id": project, "after": after});
    let job = person.finished(&person.job(job).await).await;
    assert_eq!((&job["status"], &job["result"]["truncated"]), (&json!("completed"), &json!(false)), "{job}");
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_exports_a_history_and_each_event_is_there_once() {
    let world = World::new().await;
    let server = world.server().await;
    let [ada, vera] = [server.person("ada").await, server.person("vera").await];
    let project = ada.project("Apollo").await;
    ada.invite(&project, &vera, "viewer").await;
    for number in 0..30 {
        let task = json!({"title": format!("task {number} ü")});
        ada.post(&format!("/projects/{project}/tasks"), task).await.is(201);
    }
    let job = export(&vera, &project, 0).await;
    let paths: Vec<_> = job["result"]["artifacts"].as_array().expect("artifacts").iter().map(|a| &a["path"]).collect();
    assert_eq!(paths, [&json!("events-0001.ndjson.gz")], "{job}");
    let events = read(&left(&vera, &job).await);
    let history = ada.history(&project).await;
    let told = told(&job);
    assert_eq!((&told["events"], &told["last"]), (&json!(events.len()), &json!(events.len())), "{told}");
    assert!(events.len() > 30 && events.len() <= history.len(), "{}", events.len());
    for (event, shown) in events.iter().zip(&history) {
        assert_eq!((&event["specversion"], &event["id"]), (&json!("1.0"), &shown["event_id"]));
        assert_eq!(event["data"], published(shown));
    }
    // What has come since, and nothing else.
    let last = told["last"].as_i64().expect("a place");
    let since = read(&left(&ada, &export(&ada, &project, last).await).await);
    let history = ada.history(&project).await;
    assert!(!since.is_empty());
    for (event, shown) in since.iter().zip(&history[events.len()..]) {
        assert_eq!(event["data"], published(shown));
    }
    // There is nothing behind the end.
    let nothing = export(&ada, &project, 1_000_000).await;
    assert_eq!(nothing["result"]["artifacts"], json!([]), "{nothing}");
}

/// Puts tasks into the log whose texts do not become much smaller.
async fn plant(world: &World, project: &str, number: i32) {
    sqlx::query(
        "INSERT INTO events
         SELECT l.position + n, gen_random_uuid(), $1::uuid, l.seq + n, 'task', gen_random_uuid()::text, 1, 'TaskCreated',
             '1', json_build_object('type', 'TaskCreated', 'project_id', $1, 'title', 'task', 'description',
                 (SELECT string_agg(md5(n || ':' || k), '') FROM generate_series(1, 600) k), 'status', 'todo',
                 'task_type', 'task', 'priority', 'medium', 'assignee_id', NULL, 'due_at', NULL),
             l.metadata, now()
         FROM (SELECT position, metadata, (SELECT max(feed_seq) FROM events WHERE feed_id = $1::uuid) AS seq
               FROM events ORDER BY position DESC LIMIT 1) l, generate_series(1, $2) n",
    )
    .bind(project)
    .bind(number)
    .execute(&world.pool().await)
    .await
    .expect("events");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_in_several_files() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    plant(&world, &project, 800).await;
    let job = export(&ada, &project, 0).await;
    assert!(job["result"]["artifacts"].as_array().is_some_and(|files| files.len() > 1), "{job}");
    let events = read(&left(&ada, &job).await);
    let ids: BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!((json!(events.len()), ids.len()), (told(&job)["last"].clone(), events.len()));
    assert!(events.len() > 800);
}

#[tokio::test]
async fn only_those_who_may_read_jobs_and_history_export_them() {
    let world = World::new().await;
    let server = world.server().await;
    let [ada, vera, eve] = [server.person("ada").await, server.person("vera").await, server.person("eve").await];
    let project = ada.project("Apollo").await;
    let public = ada.post("/projects", json!({"name": "Open", "is_public": true})).await.is(201).id();
    ada.invite(&project, &vera, "viewer").await;
    let of = |project: &str| json!({"type": "project_export", "project_id": project});
    eve.post("/jobs", of(&project)).await.problem(404);
    eve.post("/jobs", of(&public)).await.problem(403);
    // Who holds a key keeps others waiting.
    let mut keyed = of(&project);
    keyed["key"] = json!("mine");
    vera.post("/jobs", keyed).await.problem(403);
    ada.post("/jobs", json!({"type": "project_export"})).await.refused_field("/project_id", "missing-field");
    let mut foreign = of(&project);
    foreign["code"] = json!("print(1)");
    ada.post("/jobs", foreign).await.refused_field("/code", "invalid-value");
    let mut negative = of(&project);
    negative["after"] = json!(-1);
    ada.post("/jobs", negative).await.refused_field("/after", "out-of-range");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_run_no_jobs_has_one_export_at_a_time_and_ends_it_themselves() {
    let world = World::new().await;
    // Nothing is run: what is submitted stays open.
    let server = world.server_with(&["--roles", "api,live,projector,relay"], &[]).await;
    let [ada, vera] = [server.person("ada").await, server.person("vera").await];
    let [apollo, gemini] = [ada.project("Apollo").await, ada.project("Gemini").await];
    for project in [&apollo, &gemini] {
        ada.invite(project, &vera, "viewer").await;
    }
    let of = |project: &str| json!({"type": "project_export", "project_id": project});
    for more in [
        json!({"run_at": "2100-01-01T00:00:00Z"}),
        json!({"fairness_key": "mine"}),
        json!({"priority": 1}),
        json!({"max_attempts": 2}),
    ] {
        vera.post("/jobs", with(of(&apollo), more)).await.refused("forbidden");
    }
    let many = futures::future::join_all((0..8).map(|_| vera.post("/jobs", of(&apollo)))).await;
    let (taken, refused): (Vec<_>, Vec<_>) = many.into_iter().partition(|reply| reply.status == 202);
    assert_eq!((taken.len(), refused.len()), (1, 7));
    for reply in refused {
        reply.refused("too-many-jobs");
    }
    let first = taken.into_iter().next().expect("one").id();
    vera.job(of(&gemini)).await;
    let of_ada = ada.job(of(&apollo)).await;
    ada.job(with(of(&apollo), json!({"run_at": "2100-01-01T00:00:00Z"}))).await;

    vera.cancel(&of_ada).await.refused("forbidden");
    vera.delete(&format!("/jobs/{of_ada}")).await.refused("forbidden");
    vera.cancel(&first).await.is(200);
    let second = vera.job(of(&apollo)).await;
    vera.retry(&first).await.refused("forbidden");
    vera.delete(&format!("/jobs/{first}")).await.is(204);
    vera.post("/jobs", of(&apollo)).await.refused("too-many-jobs");
    let key = format!("project_export:{apollo}");
    ada.post("/jobs", json!({"type": "noop", "key": key})).await.refused_field("/key", "invalid-value");
    // Who does not belong to the project any more does not know of it.
    ada.delete(&format!("/projects/{apollo}/members/{}", vera.id)).await.is(204);
    vera.cancel(&second).await.refused("not-found");
    assert_proved(&world, &world.pool().await).await;
}
