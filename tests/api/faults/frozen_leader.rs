//! A process stands still while it leads: its connections stay open, and it does nothing.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;

use super::load::assert_proved;
use crate::support::World;

/// How far the log is.
async fn head(pool: &PgPool) -> i64 {
    workroom_projections::log::head(pool).await.expect("a head")
}

/// How far the log was copied, as the relay that leads has stored it.
async fn copied(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT COALESCE(max(position), 0) FROM relay_checkpoints WHERE stream = 'EVENTS'")
        .fetch_one(pool)
        .await
        .expect("a checkpoint")
}

#[tokio::test]
async fn a_frozen_leader_is_replaced_before_a_command_waits_for_a_second() {
    let world = World::new().await;
    let pool = world.pool().await;
    let servers = [world.server().await, world.server().await];
    let ada = servers[0].person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let mut slowest = Duration::ZERO;
    // The first to come leads at first; then the one that took over is frozen.
    for round in 0..6 {
        let (leader, heir) = (&servers[round % 2], &servers[(round + 1) % 2]);
        let here = ada.at(&heir.address);
        here.patch(&path, json!({"description": format!("before {round}")})).await.is(200);
        let frozen = leader.freeze();
        let since = Instant::now();
        for edit in 0..12 {
            let text = format!("while frozen {round}, {edit}");
            let asked = Instant::now();
            let reply = here.patch(&path, json!({"description": text})).await.is(200);
            let took = asked.elapsed();
            slowest = slowest.max(took);
            assert_eq!(reply.header("workroom-visible"), "", "round {round}, edit {edit}: not visible after {took:?}");
            assert!(took < Duration::from_secs(1), "round {round}, edit {edit}: waited for {took:?}");
            assert_eq!(here.get(&path).await.is(200).json["description"], text.as_str());
        }
        // The copy for others goes on, too.
        let written = head(&pool).await;
        while copied(&pool).await < written {
            assert!(since.elapsed() < Duration::from_secs(4), "the relay was not replaced after {:?}", since.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        here.get("//ready").await.is(200);
        drop(frozen);
        // It finds out that it no longer leads, and goes on as one who stands by.
        let there = ada.at(&leader.address);
        let text = format!("after {round}");
        let reply = there.patch(&path, json!({"description": text})).await.is(200);
        assert_eq!(reply.header("workroom-visible"), "", "a reply that is not visible");
        assert_eq!(here.get(&path).await.is(200).json["description"], text.as_str());
    }
    eprintln!("slowest command beside a frozen leader: {slowest:?}");
    assert_proved(&world, &pool).await;
}

#[tokio::test]
async fn a_frozen_dispatcher_is_replaced() {
    let world = World::new().await;
    let roles = ["--roles", "api,projector,relay,scheduler"];
    let frozen = world.server_with(&roles, &[]).await;
    let ada = frozen.person("ada").await;
    let job = ada.post("/jobs", json!({"type": "noop"})).await.is(202).id();
    assert_eq!(ada.finished(&job).await["status"], "completed", "it dispatches, and runs the job");
    let stopped = frozen.freeze();
    let heir = world.server_with(&roles, &[]).await;
    let here = ada.at(&heir.address);
    // Also those that are handed to the frozen one, whose room for them is not known to be gone yet.
    let waits = Instant::now();
    for _ in 0..20 {
        let job = here.post("/jobs", json!({"type": "noop"})).await.is(202).id();
        assert_eq!(here.finished(&job).await["status"], "completed");
    }
    assert!(waits.elapsed() < Duration::from_secs(9), "nobody dispatches after {:?}", waits.elapsed());
    eprintln!("done after {:?}", waits.elapsed());
    drop(stopped);
}
