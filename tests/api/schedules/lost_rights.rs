//! A schedule acts for an account, and no longer than that may.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{created, each_second, events, in_project, ticks};
use crate::{
    jobs::lifecycle::types,
    support::{World, eventually},
};

/// The reasons for which a schedule was suspended, straight from the log.
pub(super) async fn suspensions(pool: &PgPool, path: &str) -> Vec<String> {
    let asked = "SELECT payload->>'reason' FROM events
                 WHERE aggregate_type = 'schedule' AND aggregate_id = $1 AND event_type = 'ScheduleSuspended'
                 ORDER BY sequence";
    let id = path.trim_start_matches("/schedules/");
    sqlx::query_scalar(asked).bind(id).fetch_all(pool).await.expect("events")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_of_who_lost_the_right_is_suspended_until_somebody_resumes_it_in_their_own_name() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let path = created(&grace, in_project(&project, json!({}))).await;
    eventually("a run", async || !ticks(&ada, &project, &path).await.is_empty()).await;
    ada.patch(&format!("/projects/{project}/members/{}", grace.id), json!({"role": "viewer"})).await.is(200);
    eventually("it is suspended", async || ada.get(&path).await.is(200).json["suspended"] == "right_lost").await;
    let shown = ada.get(&path).await.is(200).json;
    assert_eq!((&shown["next_runs"], &shown["paused"]), (&json!([]), &json!(false)));
    let history = events(&ada, &project, &path).await;
    let last = history.last().expect("an event");
    assert_eq!((&last["event_type"], &last["actor"]), (&json!("ScheduleSuspended"), &json!("system:reconciler")));
    grace.patch(&path, json!({"paused": false})).await.refused("forbidden");

    // To change it is not to resume it.
    let named = ada.patch(&path, json!({"name": "Noop"})).await.is(200);
    assert_eq!((&named.json["suspended"], &named.json["acts_for"]), (&json!("right_lost"), &json!(grace.id)));
    let count = ticks(&ada, &project, &path).await.len();
    let resumed = ada.patch(&path, json!({"paused": false})).await.is(200);
    assert_eq!((&resumed.json["suspended"], &resumed.json["acts_for"]), (&Value::Null, &json!(ada.id)));
    assert_eq!(resumed.json["next_runs"].as_array().map(Vec::len), Some(5));
    eventually("it goes on", async || ticks(&ada, &project, &path).await.len() > count).await;
    let job = ticks(&ada, &project, &path).await.pop().expect("a run")["job_id"].clone();
    let job = ada.finished(job.as_str().expect("a job")).await;
    assert_eq!(job["submitted_by"], ada.id.as_str());
    let history = events(&ada, &project, &path).await;
    assert!(types(&history).contains(&"ScheduleResumed"), "{history:?}");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_in_a_deleted_project_or_for_an_erased_account() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    let shared = created(&ada, in_project(&project, json!({}))).await;
    let own = created(&grace, each_second()).await;
    eventually("a run", async || !ticks(&ada, &project, &shared).await.is_empty()).await;
    eventually("a run", async || grace.get(&own).await.is(200).json["last_job_id"].is_string()).await;
    ada.delete(&format!("/projects/{project}")).await.is(204);
    let erase = json!({"password": grace.password}).to_string();
    grace.send(Method::DELETE, "/auth/me", Some(erase)).await.is(204);
    let pool = world.pool().await;
    for (path, reason) in [(&shared, "project_deleted"), (&own, "account_erased")] {
        eventually(reason, async || suspensions(&pool, path).await == [reason]).await;
    }
    ada.get(&shared).await.refused("not-found");
    let late: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events e WHERE e.event_type IN ('JobRequested', 'ScheduleTicked') AND EXISTS (
             SELECT FROM events d WHERE d.feed_id = e.feed_id AND d.position < e.position
               AND d.event_type IN ('ProjectDeleted', 'AccountErased'))",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!(late, 0, "something was run behind the end");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
