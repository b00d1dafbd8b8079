//! A process stands still while it leads: its connections stay open, and it does nothing.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use sqlx::PgPool;

use super::load::assert_proved;
use crate::support::{Server, World, eventually};

/// A server that stands still until this is dropped.
struct Frozen<'a>(&'a Server);

impl<'a> Frozen<'a> {
    fn freeze(server: &'a Server) -> Self {
        server.signal(Signal::SIGSTOP);
        Self(server)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGCONT);
    }
}

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
        let frozen = Frozen::freeze(leader);
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
async fn a_frozen_reconciler_is_replaced() {
    let world = World::new().await;
    let pool = world.pool().await;
    let roles = ["--roles", "api,projector,relay,scheduler"];
    let frozen = world.server_with(&roles, &[]).await;
    let ada = frozen.person("ada").await;
    ada.get("//ready").await.is(200);
    // Caught in the middle of what it does: it waits for a table, and stands still when it gets it.
    let mut obstacle = pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE views.jobs IN ACCESS EXCLUSIVE MODE").execute(&mut *obstacle).await.expect("a lock");
    eventually("the reconciler waits", || async {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
             WHERE NOT l.granted AND l.relation = 'views.jobs'::regclass AND a.query LIKE '%running%'",
        )
        .fetch_one(&pool)
        .await
        .expect("locks");
        waiting > 0
    })
    .await;
    let stopped = Frozen::freeze(&frozen);
    obstacle.rollback().await.expect("an end");
    let heir = world.server_with(&roles, &[]).await;
    let here = ada.at(&heir.address);
    let job = here.run_python("print(1)", None).await;
    // No worker takes it; so the reconciler hands it out again after two seconds.
    let waits = Instant::now();
    let handed = || async {
        let handed = "SELECT EXISTS (SELECT FROM job_dispatches WHERE job_id = $1::uuid)";
        sqlx::query_scalar::<_, bool>(handed).bind(&job).fetch_one(&pool).await.expect("an answer")
    };
    while !handed().await {
        assert!(waits.elapsed() < Duration::from_secs(9), "nobody reconciles after {:?}", waits.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eprintln!("handed out again after {:?}", waits.elapsed());
    drop(stopped);
}
