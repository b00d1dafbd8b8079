//! Schedules: what their jobs work on goes with the event that names it.

use serde_json::{Value, json};

use super::{are_gone, dump, events, has, redact};
use crate::support::{World, eventually};

const CANARIES: [&str; 5] = ["canary-name", "canary-code", "canary-stdin", "canary-key", "canary-fairness"];

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_whose_program_was_redacted_rests_until_it_is_given_another() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let feed = format!("/projects/{project}");
    // Nothing is due before it goes on.
    let schedule = json!({
        "project_id": project, "name": "canary-name", "every_seconds": 1, "paused": true,
        "job": {
            "language": "bash", "code": "# canary-code", "stdin": "canary-stdin", "key": "canary-key",
            "fairness_key": "canary-fairness",
        },
    });
    let path = format!("/schedules/{}", ada.post("/schedules", schedule).await.is(201).id());
    let pool = world.pool().await;
    let before = dump(&pool).await;
    for canary in CANARIES {
        assert!(has(&before, canary), "{canary} was never there: the test proves nothing");
    }
    let [created]: [Value; 1] = events(&ada, &feed, "ScheduleCreated").await.try_into().expect("one schedule");
    redact(&ada, &feed, &created["seq"]).await.is(201);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM schedule_inputs").fetch_one(&pool).await.expect("a count");
    assert_eq!(kept, 0);
    are_gone(&pool, &CANARIES).await;
    assert_eq!(ada.get(&path).await.is(200).json["name"], "[redacted]");

    ada.patch(&path, json!({"paused": false})).await.is(200);
    eventually("it is suspended", async || ada.get(&path).await.is(200).json["suspended"] == "input_lost").await;
    assert!(events(&ada, &feed, "JobRequested").await.is_empty(), "a job that has nothing to work on");
    let resumed = ada.patch(&path, json!({"job": {"type": "noop"}, "paused": false})).await.is(200);
    assert_eq!(resumed.json["suspended"], Value::Null);
    eventually("a run", async || !events(&ada, &feed, "JobRequested").await.is_empty()).await;
    ada.delete(&path).await.is(204);

    // What it is given last stays until that event is redacted.
    let program = |code: &str| json!({"language": "bash", "code": code});
    let schedule = json!({"project_id": project, "every_seconds": 3600, "paused": true, "job": program("# first")});
    let path = format!("/schedules/{}", ada.post("/schedules", schedule).await.is(201).id());
    ada.patch(&path, json!({"job": program("# second")})).await.is(200);
    for (event_type, left) in [("ScheduleCreated", 1), ("ScheduleUpdated", 0)] {
        let of_type = events(&ada, &feed, event_type).await;
        redact(&ada, &feed, &of_type.last().expect("an event")["seq"]).await.is(201);
        let kept: i64 =
            sqlx::query_scalar("SELECT count(*) FROM schedule_inputs").fetch_one(&pool).await.expect("a count");
        assert_eq!(kept, left, "{event_type}");
    }
}
