//! Which jobs a schedule has submitted.

use serde_json::{Value, json};

use super::{created, in_project};
use crate::{
    jobs::lifecycle::with,
    support::{World, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_names_the_schedule_that_submitted_it() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = created(&ada, in_project(&project, json!({}))).await;
    let id = path.trim_start_matches("/schedules/");
    let by_hand = ada.job(with(json!({"type": "noop"}), json!({"project_id": project}))).await;
    let list = format!("/jobs?project_id={project}");
    let of_schedule = format!("{list}&schedule_id={id}");
    eventually("two runs", async || ada.get(&of_schedule).await.is(200).items().len() >= 2).await;
    ada.patch(&path, json!({"paused": true})).await.is(200);

    let runs = ada.get(&of_schedule).await.is(200);
    assert!(runs.items().iter().all(|job| job["schedule_id"] == id && job["id"] != by_hand), "{}", runs.text);
    assert_eq!(ada.get(&list).await.is(200).items().len(), runs.items().len() + 1);
    assert_eq!(ada.get(&format!("/jobs/{by_hand}")).await.is(200).json["schedule_id"], Value::Null);
    let run = runs.items()[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(ada.get(&format!("/jobs/{run}")).await.is(200).json["schedule_id"], id);
    let unknown = "01900000-0000-7000-8000-000000000000";
    assert!(ada.get(&format!("{list}&schedule_id={unknown}")).await.is(200).items().is_empty());
    // Its account submitted them.
    assert_eq!(ada.get(&format!("/jobs?schedule_id={id}")).await.is(200).items().len(), runs.items().len());

    let history = ada.history(&project).await;
    let requested =
        |job: &str| history.iter().find(|event| event["aggregate_id"] == job).expect("a job")["data"].clone();
    assert_eq!(requested(&run)["schedule_id"], id);
    assert_eq!(requested(&by_hand).get("schedule_id"), None);
}
