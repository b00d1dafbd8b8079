//! The clocks of processes are wrong.

use serde_json::json;

use super::{created, in_project, ticks, whole::assert_run_each_second};
use crate::{
    jobs::clocks::{AHEAD, BEHIND, is_near},
    support::{World, eventually},
};

const SCHEDULER: [&str; 2] = ["--roles", "scheduler"];

#[tokio::test(flavor = "multi_thread")]
async fn no_run_is_missed_or_doubled_though_the_clocks_of_all_processes_are_wrong() {
    let world = World::new().await;
    let api = world.server_with(&["--roles", "api,live,projector,relay"], &AHEAD).await;
    let behind = world.server_with(&SCHEDULER, &BEHIND).await;
    let ada = api.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = created(&ada, in_project(&project, json!({"missed": "all"}))).await;
    assert!(is_near(&ada.get(&path).await.is(200).json["created_at"]), "it is counted by the clock of the API");
    let runs = async || ticks(&ada, &project, &path).await.len();
    eventually("some runs", async || runs().await >= 2).await;
    behind.kill9().await;
    let before = runs().await;
    let _ahead = world.server_with(&SCHEDULER, &AHEAD).await;
    eventually("further runs", async || runs().await >= before + 2).await;
    ada.patch(&path, json!({"paused": true})).await.is(200);

    let told = assert_run_each_second(&world.pool().await).await;
    let ticks = ticks(&ada, &project, &path).await;
    assert_eq!(told.len(), ticks.len());
    for tick in &ticks {
        assert!(is_near(&tick["tick_at"]), "{tick}");
        let job = ada.finished(tick["job_id"].as_str().expect("a job")).await;
        assert_eq!(job["status"], "completed", "{job}");
    }
}
