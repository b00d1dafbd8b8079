//! Runs that nobody was there for.

use serde_json::{Value, json};
use time::Duration;
use workroom::clock::now;

use super::{created, due, events, in_project, ticks};
use crate::{
    jobs::lifecycle::moment,
    support::{Person, World, eventually},
};

/// A schedule whose runs are missed: its path, and when it was created.
async fn unattended(ada: &Person, project: &str, missed: &str) -> (String, time::OffsetDateTime) {
    let path = created(ada, in_project(project, json!({"missed": missed}))).await;
    let created_at = moment(&ada.get(&path).await.is(200).json["created_at"]);
    (path, created_at)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_made_up_as_the_schedule_says() {
    let world = World::new().await;
    let server = world.server_with(&["--roles", "api,live,projector,relay"], &[]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let (skip, one, all) = (
        unattended(&ada, &project, "skip").await,
        unattended(&ada, &project, "one").await,
        unattended(&ada, &project, "all").await,
    );
    let (_, last) = &all;
    let missed = *last + Duration::milliseconds(4200);
    eventually("four runs of each are missed", async || now() > missed).await;
    for (path, _) in [&skip, &one, &all] {
        assert!(ticks(&ada, &project, path).await.is_empty(), "nobody is there to run them");
    }
    let _scheduler = world.server_without_worker().await;
    let first = async |path: &str, count: usize| -> Vec<Value> {
        eventually("runs", async || ticks(&ada, &project, path).await.len() >= count).await;
        ticks(&ada, &project, path).await
    };

    let ticked = first(&skip.0, 2).await;
    assert_eq!((&ticked[0]["job_id"], &ticked[0]["made_up"]), (&Value::Null, &json!(0)), "{ticked:?}");
    assert_eq!(ticked[0]["passed_over"], "missed", "{ticked:?}");
    assert_eq!(due(&ticked)[0], skip.1 + Duration::seconds(1));
    assert!(moment(&ticked[0]["next_at"]) > missed, "the next one is yet to come: {ticked:?}");
    assert_eq!(ticked[0]["next_at"], ticked[1]["tick_at"]);

    let ticked = first(&one.0, 2).await;
    assert!(ticked[0]["job_id"].is_string() && ticked[0]["made_up"] == 1, "one for all: {ticked:?}");
    assert_eq!(ticked[0].get("passed_over"), None, "{ticked:?}");
    assert_eq!(due(&ticked)[0], one.1 + Duration::seconds(1));
    assert!(moment(&ticked[0]["next_at"]) > missed, "the next one is yet to come: {ticked:?}");

    let ticked = first(&all.0, 5).await;
    let expected: Vec<_> = (1..=5).map(|run| all.1 + Duration::seconds(run)).collect();
    assert_eq!(due(&ticked)[..5], expected);
    let made_up: Vec<_> = ticked[..3].iter().map(|tick| tick["made_up"].clone()).collect();
    assert_eq!(made_up, [1, 2, 3], "one after the other: {ticked:?}");
    assert!(ticked.iter().all(|tick| tick["job_id"].is_string()), "{ticked:?}");
    let mut history = events(&ada, &project, &all.0).await;
    history.retain(|event| event["event_type"] == "ScheduleTicked");
    let decided: Vec<_> = history[..3].iter().map(|event| moment(&event["occurred_at"])).collect();
    let rested = decided.windows(2).all(|pair| pair[1] - pair[0] >= Duration::milliseconds(500));
    assert!(rested, "it rests between runs that it makes up for: {decided:?}");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
