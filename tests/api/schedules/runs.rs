//! Runs: each once, at its time, whoever runs the schedules.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use workroom::clock::now;

use super::{created, due, each_second, in_project, ticks};
use crate::{
    jobs::lifecycle::{bash, moment, with},
    support::{World, eventually},
};

/// Runs that a test waits for.
const RUNS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_instances_one_runs_each_tick_and_none_is_left_out_when_one_dies() {
    let world = World::new().await;
    let (server, other) = (world.server().await, world.server().await);
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    // Should the machine be too slow for a tick a second: all of them come, if late.
    let path = created(&ada, in_project(&project, json!({"missed": "all"}))).await;
    let begun = moment(&ada.get(&path).await.is(200).json["created_at"]);
    eventually("half of the runs", async || ticks(&ada, &project, &path).await.len() >= RUNS / 2).await;
    other.kill9().await;
    eventually("all runs", async || ticks(&ada, &project, &path).await.len() >= RUNS).await;
    let paused = ada.patch(&path, json!({"paused": true})).await.is(200);
    assert_eq!(paused.json["next_runs"], json!([]));

    let ticks = ticks(&ada, &project, &path).await;
    let expected: Vec<_> = (1..=ticks.len()).map(|run| begun + time::Duration::seconds(run as i64)).collect();
    assert_eq!(due(&ticks), expected);
    let jobs: BTreeSet<_> = ticks.iter().map(|tick| tick["job_id"].as_str().expect("a job")).collect();
    assert_eq!(jobs.len(), ticks.len());
    for job in &jobs {
        let job = ada.finished(job).await;
        assert_eq!((&job["status"], &job["submitted_by"]), (&json!("completed"), &json!(ada.id)), "{job}");
    }
    let history = ada.history(&project).await;
    let requested = history.iter().filter(|event| event["event_type"] == "JobRequested");
    assert_eq!(requested.map(|event| event["aggregate_id"].as_str().expect("an id")).collect::<BTreeSet<_>>(), jobs);
    let last = ticks.last().expect("a run");
    let shown = ada.get(&path).await.is(200).json;
    assert_eq!((&shown["last_run_at"], &shown["last_job_id"]), (&last["tick_at"], &last["job_id"]));
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_come_at_their_time() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = created(&ada, in_project(&project, json!({}))).await;
    eventually("some runs", async || ticks(&ada, &project, &path).await.len() >= 5).await;
    let mut delays: Vec<time::Duration> = Vec::new();
    for event in super::events(&ada, &project, &path).await.iter().filter(|e| e["event_type"] == "ScheduleTicked") {
        delays.push(moment(&event["occurred_at"]) - moment(&event["data"]["tick_at"]));
    }
    assert!(delays.iter().all(|delay| !delay.is_negative()), "too early: {delays:?}");
    delays.sort();
    eprintln!("runs came {delays:?} after their time");
    // A busy machine may hold up one of them.
    assert!(delays[delays.len() / 2] < Duration::from_millis(100), "too late: {delays:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_do_not_change_the_version() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let path = created(&ada, each_second()).await;
    eventually("a run", async || ada.get(&path).await.is(200).json["last_job_id"].is_string()).await;
    let shown = ada.get(&path).await.is(200);
    assert_eq!((&shown.json["version"], &shown.json["updated_at"]), (&json!(1), &shown.json["created_at"]));
    let paused = ada.with_header("if-match", "\"1\"").patch(&path, json!({"paused": true})).await.is(200);
    assert!(paused.json["version"].as_i64().is_some_and(|version| version > 1), "{}", paused.text);
    ada.with_header("if-match", "\"1\"").patch(&path, json!({"paused": false})).await.problem(412);
    let again = ada.get(&path).await.is(200).json;
    assert_eq!(again["version"], paused.json["version"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_works_on_what_the_schedule_was_given_last() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let program = |word: &str| with(bash("cat; echo $1"), json!({"stdin": "hello ", "args": [word]}));
    let path = created(&ada, json!({"every_seconds": 1, "job": program("ada")})).await;
    let printed = async |expected: &str| {
        eventually(expected, async || {
            let shown = ada.get(&path).await.is(200).json;
            let Some(job) = shown["last_job_id"].as_str() else { return false };
            let job = ada.finished(job).await;
            assert_eq!(job["status"], "completed", "{job}");
            job["result"]["stdout"] == format!("hello {expected}\n")
        })
        .await;
    };
    printed("ada").await;
    ada.patch(&path, json!({"job": program("grace")})).await.is(200);
    printed("grace").await;
    let kept = async || {
        let kept = sqlx::query_scalar("SELECT count(*) FROM schedule_inputs").fetch_one(&pool).await;
        kept.map(|kept: i64| kept).expect("a count")
    };
    assert_eq!(kept().await, 1);
    ada.patch(&path, json!({"job": {"type": "noop"}})).await.is(200);
    assert_eq!(kept().await, 0);
    ada.patch(&path, json!({"job": program("eve")})).await.is(200);
    assert_eq!(kept().await, 1);
    ada.delete(&path).await.is(204);
    assert_eq!(kept().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_or_deleted_does_not_run() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let [paused, deleted, runs] = [
        created(&ada, in_project(&project, json!({}))).await,
        created(&ada, in_project(&project, json!({}))).await,
        created(&ada, in_project(&project, json!({}))).await,
    ];
    for path in [&paused, &deleted, &runs] {
        eventually("a run", async || !ticks(&ada, &project, path).await.is_empty()).await;
    }
    ada.patch(&paused, json!({"paused": true})).await.is(200);
    ada.delete(&deleted).await.is(204);
    let before = [ticks(&ada, &project, &paused).await, ticks(&ada, &project, &deleted).await];
    // A third one tells that others would have run.
    let count = ticks(&ada, &project, &runs).await.len();
    eventually("further runs", async || ticks(&ada, &project, &runs).await.len() >= count + 3).await;
    assert_eq!([ticks(&ada, &project, &paused).await, ticks(&ada, &project, &deleted).await], before);

    // What rested goes on with the next run, and makes up for nothing.
    let resumed = now();
    ada.patch(&paused, json!({"paused": false})).await.is(200);
    eventually("a run", async || ticks(&ada, &project, &paused).await.len() > before[0].len()).await;
    let further = ticks(&ada, &project, &paused).await.split_off(before[0].len());
    assert!(due(&further)[0] > resumed && further[0]["made_up"] == 0, "{further:?}");
}
