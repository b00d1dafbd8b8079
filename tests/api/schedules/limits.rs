//! How many schedules there may be, how soon one runs again, and what is left of them.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use super::{created, each_second, in_project};
use crate::{
    jobs::lifecycle::{bash, with},
    support::{World, eventually},
};

async fn count(pool: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(pool).await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_a_thousand_schedules_at_most_however_many_are_created_at_once() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    let fill = "INSERT INTO schedule_slots (schedule_id, owner_id)
                SELECT gen_random_uuid(), $1::uuid FROM generate_series(1, 999)";
    sqlx::query(fill).bind(&project).execute(&pool).await.expect("rows");
    let rests = in_project(&project, json!({"paused": true}));
    let replies = join_all((0..4).map(|_| ada.post("/schedules", rests.clone()))).await;
    let (created, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!((created.len(), refused.len()), (1, 3));
    for reply in refused {
        reply.refused("too-many-schedules");
    }
    // Another owner has room.
    let own = ada.post("/schedules", with(each_second(), json!({"paused": true}))).await.is(201).id();
    ada.delete(&format!("/schedules/{}", created[0].id())).await.is(204);
    ada.post("/schedules", rests.clone()).await.is(201);
    ada.post("/schedules", rests).await.refused("too-many-schedules");
    ada.delete(&format!("/schedules/{own}")).await.is(204);
    assert_eq!(count(&pool, "schedule_slots").await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_schedules_goes_with_their_project_and_account() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (project, other) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let pool = world.pool().await;
    // Paused: no run ever finds that the project is gone.
    let schedule = with(json!({"cron": "@daily", "paused": true}), json!({"job": bash("true")}));
    for project in [&project, &other] {
        created(&ada, with(schedule.clone(), json!({"project_id": project}))).await;
    }
    created(&grace, schedule).await;
    let kept = async || (count(&pool, "schedule_inputs").await, count(&pool, "schedule_slots").await);
    assert_eq!(kept().await, (3, 3));
    ada.delete(&format!("/projects/{project}")).await.is(204);
    eventually("nothing is kept of the project", async || kept().await == (2, 2)).await;
    let erase = json!({"password": grace.password}).to_string();
    grace.send(Method::DELETE, "/auth/me", Some(erase)).await.is(204);
    assert_eq!(kept().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_come_no_sooner_after_each_other_than_is_set() {
    let world = World::new().await;
    let set = [("WORKROOM_SHORTEST_SCHEDULE_SECONDS", "300")];
    let server = world.server_with(&["--roles", "api,live,projector,relay,scheduler"], &set).await;
    let ada = server.person("ada").await;
    let noop = |timing| with(timing, json!({"job": {"type": "noop"}}));
    let (often, seldom) = (json!({"every_seconds": 299}), json!({"every_seconds": 300}));
    let (cron_often, cron_seldom) = (json!({"cron": "*/4 * * * *"}), json!({"cron": "*/5 * * * *"}));
    ada.post("/schedules", noop(often.clone())).await.refused_field("/every_seconds", "out-of-range");
    ada.post("/schedules", noop(cron_often.clone())).await.refused_field("/cron", "out-of-range");
    created(&ada, noop(cron_seldom.clone())).await;
    let path = created(&ada, noop(seldom)).await;
    ada.patch(&path, often).await.refused_field("/every_seconds", "out-of-range");
    ada.patch(&path, cron_often).await.refused_field("/cron", "out-of-range");
    ada.patch(&path, cron_seldom).await.is(200);
}
