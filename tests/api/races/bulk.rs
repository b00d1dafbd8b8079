//! One job that works through many others, in the name of somebody who loses the right to meanwhile.

use futures::{StreamExt, stream};
use serde_json::json;
use sqlx::PgPool;

use super::{assert_proved, count};
use crate::{
    jobs::lifecycle::{bash, with},
    support::{World, eventually},
};

/// As many as it takes some time to go through.
const JOBS: i64 = 1000;
/// A service that dispatches nothing, and runs no job at all.
const WITHOUT_JOBS: [&str; 2] = ["--roles", "api,live,projector,relay"];
/// What runs the service's own jobs, and no programs.
const SCHEDULER: [&str; 2] = ["--roles", "scheduler"];

/// How many events of a type an account has caused in jobs, and how many of them behind the last end of its right.
async fn caused(pool: &PgPool, account: &str, event_type: &str, end: &str) -> (i64, i64) {
    sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE position > (
             SELECT max(e.position) FROM events e
             WHERE e.event_type = $3 AND $2::text IN (e.payload->>'account_id', e.aggregate_id)))
         FROM events WHERE aggregate_type = 'job' AND event_type = $1 AND metadata->>'actor' = 'account:' || $2::text",
    )
    .bind(event_type)
    .bind(account)
    .bind(end)
    .fetch_one(pool)
    .await
    .expect("counts")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_to_do_is_not_done_for_who_has_lost_the_right() {
    let world = World::new().await;
    let server = world.server_with(&WITHOUT_JOBS, &[]).await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    let member = format!("/projects/{project}/members/{}", grace.id);
    ada.invite(&project, &grace, "collaborator").await;
    let job = with(bash("true"), json!({"project_id": project, "run_at": "2100-01-01T00:00:00Z"}));
    let submitted = stream::iter(0..JOBS).map(|_| ada.job(job.clone())).buffer_unordered(32);
    assert_eq!(i64::try_from(submitted.count().await).expect("a count"), JOBS);
    let pool = world.pool().await;
    for (action, event_type, end) in
        [("cancel", "JobCancelled", "MemberRoleChanged"), ("retry", "JobRedriven", "AccountDeactivated")]
    {
        let path = format!("/jobs/{action}");
        let control = grace.post(&path, json!({"project_id": project})).await.is(202).id();
        let scheduler = world.server_with(&SCHEDULER, &[]).await;
        eventually("it has begun", async || caused(&pool, &grace.id, event_type, end).await.0 > 0).await;
        // Where it stands, commands are on their way. They meet what has changed when it goes on.
        let frozen = scheduler.freeze();
        if action == "cancel" {
            ada.patch(&member, json!({"role": "viewer"})).await.is(200);
        } else {
            let (done, text) = world.command(&["accounts", "deactivate", &grace.id]).await;
            assert!(done, "{text}");
        }
        drop(frozen);
        let ended = ada.finished(&control).await;
        let (changed, behind) = caused(&pool, &grace.id, event_type, end).await;
        assert_eq!(behind, 0, "{action}: done behind {end}");
        assert!(changed > 0 && changed < JOBS, "{action}: it went through all of them, or none: {changed}");
        let counts = json!({"matched": JOBS, "changed": changed, "refused": JOBS - changed});
        assert_eq!((&ended["status"], &ended["result"]["control"]), (&json!("completed"), &counts), "{ended}");
        let pending = "SELECT count(*) FROM views.jobs WHERE status = 'pending' AND job_type = 'code_execution'";
        let expected = if action == "cancel" { JOBS - changed } else { changed };
        eventually("the others are as before", async || count(&pool, pending).await == expected).await;
        if action == "cancel" {
            let rest = ada.post(&path, json!({"project_id": project})).await.is(202).id();
            ada.finished(&rest).await;
            ada.patch(&member, json!({"role": "collaborator"})).await.is(200);
        }
    }
    assert_proved(&world).await;
}
