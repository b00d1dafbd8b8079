//! Postgres loses its sessions, or dies; and comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use sqlx::{Connection, PgConnection};
use tokio::sync::Notify;

use super::load::{Load, ada};
use crate::support::{Person, World, eventually};

/// Somebody who reads all the time, and insists on 200 or 503; returns how often each came.
pub(super) struct Reader {
    stop: Arc<AtomicBool>,
    refused: Arc<Notify>,
    task: tokio::task::JoinHandle<(usize, usize)>,
}

impl Reader {
    pub(super) fn begin(person: &Person, path: String) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let refused = Arc::<Notify>::default();
        let (person, stopped, refusal) = (person.clone(), Arc::clone(&stop), Arc::clone(&refused));
        let task = tokio::spawn(async move {
            let (mut good, mut busy) = (0, 0);
            while !stopped.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let reply = person.try_send(Method::GET, &path, None).await.expect("an answer");
                assert!(asked.elapsed() < Duration::from_secs(25), "{:?} for a read", asked.elapsed());
                if reply.status == 503 {
                    busy += 1;
                    refusal.notify_one();
                    let reply = reply.problem(503);
                    assert_ne!(reply.header("retry-after"), "", "{}", reply.text);
                } else {
                    good += 1;
                    reply.is(200);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            (good, busy)
        });
        Self { stop, refused, task }
    }

    /// Waits until a read is answered with 503; a reader that found something wrong is heard at the end.
    pub(super) async fn is_refused(&self) {
        let refused = tokio::time::timeout(Duration::from_secs(20), self.refused.notified()).await;
        assert!(refused.is_ok() || self.task.is_finished(), "a read is never answered");
    }

    pub(super) async fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = tokio::time::timeout(Duration::from_secs(60), self.task).await.expect("an end");
        ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

#[tokio::test]
async fn terminated_sessions_lose_and_double_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, projects) = ada(&server).await;
    let pool = world.pool().await;
    let mut load = Load::begin(&server, &ada, &projects);
    let reader = Reader::begin(&ada, format!("/projects/{}", projects[0]));
    let mut executioner = PgConnection::connect(&world.database_url).await.expect("a connection");
    for _ in 0..8 {
        load.goes_on(60).await;
        let terminated: i64 = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'workroom'",
        )
        .fetch_one(&mut executioner)
        .await
        .expect("terminations");
        assert!(terminated > 0);
    }
    load.goes_on(100).await;
    let (good, busy) = reader.end().await;
    eprintln!("reads: {good} answered, {busy} refused");
    // The test's own pool lost its connections, too.
    pool.close().await;
    load.end(&world, &world.pool().await).await;
    ada.get("//ready").await.is(200);
}

#[tokio::test]
async fn a_killed_postgres_sheds_load_and_recovers() {
    let world = World::with_own_postgres().await;
    let server = world.server().await;
    let (ada, projects) = ada(&server).await;
    let postgres = world.services().postgres().expect("a Postgres of one's own");
    let mut load = Load::begin(&server, &ada, &projects);
    let reader = Reader::begin(&ada, format!("/projects/{}", projects[0]));
    for _ in 0..2 {
        load.goes_on(100).await;
        postgres.kill9().await;
        load.is_refused(20).await;
        let not_ready = ada.get("//ready").await.problem(503);
        assert!(not_ready.json["detail"].as_str().expect("a detail").contains("postgres"), "{}", not_ready.text);
        ada.get("//health").await.is(200);
        postgres.restart().await.expect("Postgres again");
        let back = Instant::now();
        load.goes_on(100).await;
        eprintln!("recovered after {:?}", back.elapsed());
        eventually("ready again", || async { ada.get("//ready").await.status == 200 }).await;
    }
    reader.end().await;
    let pool = world.pool().await;
    load.end(&world, &pool).await;
}
