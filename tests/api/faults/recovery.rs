//! Postgres dies with everything that was not on its disk: the views go back, what was acknowledged does not.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use nix::sys::signal::{Signal, kill};
use tokio::task::JoinSet;

use super::frozen::working_in;
use crate::support::{Person, World};

/// Kills every process of a Postgres: what waits in its memory is lost.
async fn kill_all(data: &Path) {
    loop {
        let running = working_in(data);
        if running.is_empty() {
            return;
        }
        for pid in running {
            // It may have ended meanwhile.
            let _ = kill(pid, Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Reads until the answer is another than "come again".
async fn read(person: &Person, path: &str) -> u16 {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let reply = person.get(path).await;
        if reply.status != 503 {
            return reply.status;
        }
        assert!(Instant::now() < deadline, "{path}: {}", reply.text);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_read_at_once_after_a_crash() {
    let world = World::with_own_postgres().await;
    let (server, other) = tokio::join!(world.server(), world.server());
    let ada = server.person("ada").await;
    let there = ada.at(&other.address);
    let postgres = world.services().postgres().expect("a Postgres of one's own");
    let (mut crashes, mut reads, mut missing) = (0, 0, Vec::new());
    let began = Instant::now();
    while crashes < 20 {
        assert!(began.elapsed() < Duration::from_secs(120), "only {crashes} crashes");
        let mut writers = JoinSet::new();
        for number in 0..4 {
            let ada = if number % 2 == 0 { ada.clone() } else { there.clone() };
            writers.spawn(async move {
                let mut written = Vec::new();
                for _ in 0..4 {
                    let body = serde_json::json!({"name": "Apollo"}).to_string();
                    let reply = ada.try_send(reqwest::Method::POST, "/projects", Some(body)).await.expect("a reply");
                    if reply.status == 201 {
                        written.push((reply.id(), reply.position()));
                    }
                }
                written
            });
        }
        let written: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
        kill_all(&postgres.data_dir()).await;
        let mut readers = JoinSet::new();
        for (id, position) in written {
            for person in [&ada, &there] {
                for path in [format!("/projects/{id}"), format!("/projects/{id}?min_position={position}")] {
                    let person = person.clone();
                    readers.spawn(async move { (read(&person, &path).await, path) });
                }
            }
        }
        postgres.restart().await.expect("Postgres again");
        while let Some(read) = readers.join_next().await {
            let (status, path) = read.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            reads += 1;
            if status != 200 {
                missing.push((crashes, status, path));
            }
        }
        crashes += 1;
    }
    eprintln!("{crashes} crashes, {reads} reads, {} of them in vain", missing.len());
    assert!(missing.is_empty(), "{} of {reads} reads after {crashes} crashes: {missing:#?}", missing.len());
}
