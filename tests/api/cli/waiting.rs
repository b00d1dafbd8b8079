//! A service that starts while Postgres is slow or away waits for it, says so, and comes up with it.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::process::Served;
use crate::support::{Pooler, Pooling, World, eventually};

const WAITING: &str = "waiting for Postgres";

async fn says(served: &Served, words: &str) {
    eventually(words, || async { served.said().iter().any(|line| line.contains(words)) }).await;
}

#[tokio::test]
async fn a_service_that_starts_before_postgres_comes_up_with_it() {
    let world = World::with_own_postgres().await;
    let postgres = world.services().postgres().expect("a Postgres of one's own");
    postgres.kill9().await;
    let served = Served::start(&world.database_url, world.nats_url(), &[]);
    says(&served, WAITING).await;
    assert!(served.said().iter().any(|line| line.contains(&format!("127.0.0.1:{} (DATABASE_URL)", postgres.port()))));
    // Nobody is let in before there is somebody to answer.
    assert_eq!(served.address(), None);
    postgres.restart().await.expect("Postgres");
    let address = served.listens().await;
    assert_eq!(reqwest::get(format!("http://{address}/ready")).await.expect("a reply").status(), 200);
    let said: Vec<_> = served.said().into_iter().filter(|line| line.contains(WAITING)).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(served.end_by(Signal::SIGTERM).await.success());
}

#[tokio::test]
async fn a_service_whose_postgres_is_slow_waits_for_it() {
    let world = World::new().await;
    // Takes connections, and says nothing for longer than a connection may take.
    let slow = Pooler::new(&world.database_url, Pooling { by_session: true, lenient: true }).await;
    slow.lets_in(false);
    let served = Served::start(&slow.url, world.nats_url(), &[]);
    says(&served, WAITING).await;
    slow.lets_in(true);
    let address = served.listens().await;
    assert_eq!(reqwest::get(format!("http://{address}/health")).await.expect("a reply").status(), 200);
    assert!(served.end_by(Signal::SIGTERM).await.success());
}

#[tokio::test]
async fn a_service_that_waits_can_be_stopped() {
    let world = World::with_own_postgres().await;
    world.services().postgres().expect("a Postgres of one's own").kill9().await;
    let served = Served::start(&world.database_url, world.nats_url(), &[]);
    says(&served, WAITING).await;
    let asked = Instant::now();
    assert!(served.end_by(Signal::SIGTERM).await.success());
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}
