//! Whom a schedule acts for: who last decided what is run, or when.

use serde_json::{Value, json};

use super::created;
use crate::{jobs::lifecycle::bash, support::World};

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_acts_for_who_last_changed_what_is_run_or_when() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let viewer = server.person("vera").await;
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    ada.invite(&project, &viewer, "viewer").await;
    let schedule = json!({"project_id": project, "cron": "30 3 * * *", "job": {"type": "noop"}});
    let path = created(&ada, schedule).await;

    for (person, patch, acts_for) in [
        (&grace, json!({"name": "Nightly"}), &ada),
        (&grace, json!({"cron": "30 4 * * *"}), &grace),
        (&ada, json!({"time_zone": "Europe/Berlin"}), &ada),
        (&grace, json!({"missed": "all"}), &grace),
        (&ada, json!({"job": bash("true")}), &ada),
        // What asks for nothing new lends no name to it.
        (&grace, json!({"cron": "30 4 * * *", "missed": "all"}), &ada),
        (&grace, json!({"paused": true}), &ada),
        (&grace, json!({"paused": false}), &grace),
        (&ada, json!({"paused": false}), &grace),
    ] {
        let shown = person.patch(&path, patch.clone()).await.is(200).json;
        assert_eq!(shown["acts_for"], acts_for.id.as_str(), "{patch}");
        assert_eq!(ada.get(&path).await.is(200).json["acts_for"], shown["acts_for"], "{patch}");
    }
    viewer.patch(&path, json!({"cron": "30 5 * * *"})).await.refused("forbidden");
    assert_eq!(ada.get(&path).await.is(200).json["created_by"], Value::from(ada.id.as_str()));
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
