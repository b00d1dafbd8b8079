//! `workroom serve` asked to stop.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    event_store::log::{assert_whole, hold_lock, release, waiting_for_lock},
    support::{World, eventually},
};

#[tokio::test]
async fn running_requests_finish_when_it_is_asked_to_stop() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    // Held up at the log's lock, where a test can look.
    let lock = hold_lock(&world.database_url).await;
    let edit = tokio::spawn({
        let (ada, path) = (ada.clone(), format!("/projects/{project}"));
        async move { ada.patch(&path, json!({"description": "the last edit"})).await.is(200) }
    });
    let registrations: Vec<_> = (0..3)
        .map(|number| {
            let client = server.client();
            let account = json!({
                "email": format!("late-{number}@example.com"), "password": "a good password", "full_name": "Late",
            });
            tokio::spawn(async move { client.post("/auth/register", account).await.is(201) })
        })
        .collect();
    eventually("all of them wait", || async { waiting_for_lock(&pool).await == 4 }).await;
    server.signal(Signal::SIGTERM);
    let address = server.address.clone();
    eventually("no new connection is taken", || {
        let address = address.clone();
        async move { tokio::net::TcpStream::connect(address).await.is_err() }
    })
    .await;
    release(lock).await;
    assert!(edit.await.expect("a reply").position() > 0);
    for registration in registrations {
        registration.await.expect("a reply");
    }
    let stopped = tokio::time::timeout(Duration::from_secs(15), server.stop()).await.expect("an end in time");
    assert!(stopped, "a bad exit code");
    assert_whole(&pool).await;
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_load_is_a_good_end_for_everybody() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    let path = format!("/projects/{project}");
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (ada, path) = (ada.clone(), path.clone());
            tokio::spawn(async move {
                let mut done = 0;
                for edit in 0_usize.. {
                    let body = json!({"description": format!("{number}.{edit}")}).to_string();
                    match ada.try_send(reqwest::Method::PATCH, &path, Some(body)).await {
                        Ok(reply) => drop(reply.is(200)),
                        Err(_) => break,
                    }
                    done += 1;
                }
                done
            })
        })
        .collect();
    let edits = || async {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events WHERE event_type = 'ProjectUpdated'")
            .fetch_one(&pool)
            .await
            .expect("a count")
    };
    eventually("the load is under way", || async { edits().await > 100 }).await;
    assert!(server.stop().await, "a bad exit code");
    let mut done: i64 = 0;
    for client in clients {
        done += client.await.expect("no panic");
    }
    assert_eq!(edits().await, done, "each edit was answered, and each answered one is there");
    assert_whole(&pool).await;
}
