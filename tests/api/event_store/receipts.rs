//! Idempotency receipts, across instances.

use futures::future::join_all;
use serde_json::json;

use super::log::assert_whole;
use crate::support::World;

#[tokio::test]
async fn a_receipt_answers_on_every_instance() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let keyed = ada.with_header("idempotency-key", "one");
    let first = keyed.post("/projects", json!({"name": "Apollo"})).await.is(201);
    let again = keyed.at(&there.address).post("/projects", json!({"name": "Apollo"})).await.is(201);
    assert_eq!(again.text, first.text);
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(again.position(), first.position());
    assert_eq!(again.header("idempotent-replayed"), "true");
    keyed.at(&there.address).post("/projects", json!({"name": "Gemini"})).await.problem(422);
    // Another person's key of the same text is another key.
    let grace = there.person("grace").await;
    let other = grace.with_header("idempotency-key", "one").post("/projects", json!({"name": "Apollo"})).await.is(201);
    assert_ne!(other.id(), first.id());
}

#[tokio::test]
async fn of_the_same_command_at_two_instances_at_once_one_is_carried_out() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let attempts = (0..24).map(|number| {
        let keyed = ada.with_header("idempotency-key", &format!("key {number}"));
        let other = keyed.at(&there.address);
        let body = json!({"name": format!("project {number}")});
        async move {
            let (one, two) = tokio::join!(keyed.post("/projects", body.clone()), other.post("/projects", body.clone()));
            // 409 says that the first is still running; that is never both.
            let made: Vec<_> = [&one, &two].into_iter().filter(|reply| reply.status == 201).collect();
            assert!(!made.is_empty(), "{one:?} {two:?}");
            assert!([&one, &two].iter().all(|reply| matches!(reply.status, 201 | 409)), "{one:?} {two:?}");
            let id = made[0].id();
            assert!(made.iter().all(|reply| reply.id() == id), "{one:?} {two:?}");
            assert_eq!(other.post("/projects", body).await.is(201).id(), id);
        }
    });
    join_all(attempts).await;
    let pool = world.pool().await;
    let made: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'ProjectCreated'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(made, 24);
    assert_whole(&pool).await;
}
