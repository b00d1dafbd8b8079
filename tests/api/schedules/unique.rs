//! What else a schedule's job takes as one that is submitted by hand.

use serde_json::{Value, json};

use super::{created, events, in_project, ticks};
use crate::{
    jobs::lifecycle::{bash, with},
    support::{Person, World, eventually},
};

/// The jobs that a schedule has submitted, and how many of its runs an earlier job has stood in for.
async fn runs(ada: &Person, project: &str, path: &str) -> (Vec<String>, usize) {
    let ticks = ticks(ada, project, path).await;
    let jobs = ticks.iter().filter_map(|tick| tick["job_id"].as_str()).map(str::to_owned).collect();
    let passed_over = ticks.iter().filter(|tick| tick["passed_over"] == "earlier_job");
    assert!(passed_over.clone().all(|tick| tick["job_id"] == Value::Null), "{ticks:?}");
    (jobs, passed_over.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_passed_over_while_an_earlier_job_is_the_only_one_with_its_key() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let job = with(bash("true"), json!({"key": "report", "unique_seconds": 600}));
    let by_hand = ada.job(with(job.clone(), json!({"project_id": project}))).await;
    let path = created(&ada, in_project(&project, json!({"job": job}))).await;
    eventually("two runs are passed over", async || runs(&ada, &project, &path).await.1 >= 2).await;
    let show = async || ada.get(&path).await.is(200).json;
    eventually("it says why", async || show().await["passed_over"] == "earlier_job").await;
    let shown = show().await;
    assert_eq!(shown["last_job_id"], Value::Null, "{shown}");
    assert_eq!((&shown["job"]["unique_seconds"], &shown["suspended"]), (&json!(600), &Value::Null));

    // A cancelled one stands in nobody's way: the next run submits a job, which those behind it are compared with.
    ada.cancel(&by_hand).await.is(200);
    eventually("a run", async || !runs(&ada, &project, &path).await.0.is_empty()).await;
    let (_, before) = runs(&ada, &project, &path).await;
    eventually("two more are passed over", async || runs(&ada, &project, &path).await.1 >= before + 2).await;
    ada.patch(&path, json!({"paused": true})).await.is(200);
    let (jobs, _) = runs(&ada, &project, &path).await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!(ada.post("/jobs", with(job, json!({"project_id": project}))).await.is(200).id(), jobs[0]);
    let kept = "SELECT count(*) FROM job_inputs WHERE job_id::text = ANY($1)";
    let pool = world.pool().await;
    let kept: i64 = sqlx::query_scalar(kept).bind(&jobs).fetch_one(&pool).await.expect("a count");
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM job_inputs").fetch_one(&pool).await.expect("a count");
    assert_eq!((kept, all), (1, 2), "nothing is kept for a run that was passed over");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_export_of_a_schedule_begins_where_it_is_told() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let job = json!({"type": "project_export", "after": 7});
    let path = created(&ada, in_project(&project, json!({"job": job}))).await;
    eventually("a run", async || ada.get(&path).await.is(200).json["last_job_id"].is_string()).await;
    ada.patch(&path, json!({"paused": true})).await.is(200);
    assert_eq!(events(&ada, &project, &path).await[0]["data"]["job"]["work"]["after"], 7);
    let last = ada.get(&path).await.is(200).json["last_job_id"].clone();
    let history = ada.history(&project).await;
    let asked = history.iter().find(|event| event["aggregate_id"] == last).expect("a job");
    assert_eq!(asked["data"]["after"], 7, "{asked}");
}
