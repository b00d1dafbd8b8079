//! Codes of what takes too long, or is too much at a time. Locks make the service wait.

use futures::{StreamExt, stream::FuturesUnordered};
use serde_json::json;

use super::{Met, hold};
use crate::{
    event_store::log::{hold_lock, release, waiting_for_lock},
    support::{Client, Person, Reply, World, eventually},
};

pub const MET: &[&str] = &["outcome-unknown", "overloaded", "request-in-progress", "sign-ins-busy", "views-behind"];

/// Asks for views that show a change, while the projections stand still.
async fn read_behind(world: &World, ada: &Person) -> Reply {
    let pool = world.pool().await;
    let head = async || -> i64 {
        sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&pool).await.expect("the head of the log")
    };
    let projections = hold(world, "SELECT FROM projection_checkpoints FOR UPDATE").await;
    let before = head().await;
    let client = ada.clone();
    let creation = tokio::spawn(async move { client.post("/projects", json!({"name": "Apollo"})).await });
    eventually("the project is in the log", async || head().await > before).await;
    let behind = ada.get(&format!("/projects?min_position={}", head().await)).await;
    release(projections).await;
    creation.await.expect("a reply").is(201);
    behind
}

/// Signs in as often at once as no network may, while nobody can look how often it has failed: the first reply.
async fn sign_in_at_once(world: &World, client: &Client) -> Reply {
    let throttles = hold(world, "LOCK TABLE throttles IN ACCESS EXCLUSIVE MODE").await;
    let login = json!({"email": "nobody@example.com", "password": "guess a password"});
    let mut replies: FuturesUnordered<_> = (0..150).map(|_| client.post("/auth/login", login.clone())).collect();
    let first = replies.next().await.expect("a reply");
    drop(replies);
    release(throttles).await;
    first
}

/// Submits programs of about a mebibyte each, of which 64 can wait for the log, until one is refused.
async fn submit_too_much(ada: &Person) -> Reply {
    let text = "\u{1}".repeat(87_000);
    let job = json!({"type": "code_execution", "language": "python", "code": text, "stdin": text});
    let mut replies: FuturesUnordered<_> = (0..70).map(|_| ada.post("/jobs", job.clone())).collect();
    loop {
        let reply = replies.next().await.expect("a refusal");
        // On a busy machine the first of them may have waited for too long by now.
        if reply.json["code"] != "outcome-unknown" {
            return reply;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_busy_or_behind() {
    let mut met = Met::default();
    let world = World::new().await;
    let hasty = [("WORKROOM_REQUEST_TIMEOUT_SECONDS", "1")];
    // Nobody runs what is submitted.
    let (server, hasty) = tokio::join!(
        world.server_with(&["--roles", "api,projector"], &[]),
        world.server_with(&["--roles", "api"], &hasty)
    );
    let ada = server.person("ada").await;
    met.refused(sign_in_at_once(&world, &server.client()).await, "sign-ins-busy");
    met.refused(read_behind(&world, &ada).await, "views-behind");

    let (pool, log) = (world.pool().await, hold_lock(&world.database_url).await);
    let (keyed, body) = (ada.with_header("idempotency-key", "one"), json!({"name": "Gemini"}));
    let (first, same) = (keyed.clone(), body.clone());
    let first = tokio::spawn(async move { first.post("/projects", same).await });
    eventually("the first waits for the log", async || waiting_for_lock(&pool).await > 0).await;
    met.refused(keyed.post("/projects", body).await, "request-in-progress");
    let unanswered = ada.at(&hasty.address).post("/projects", json!({"name": "Mercury"})).await;
    met.refused(unanswered, "outcome-unknown");
    met.refused(submit_too_much(&ada).await, "overloaded");
    release(log).await;
    first.await.expect("a reply");
    met.are(MET);
}
