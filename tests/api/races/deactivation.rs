//! Nothing is written in the name of an account that is deactivated or erased.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use sqlx::PgPool;
use tokio::{sync::watch, task::JoinSet};

use super::{all_rounds, assert_proved, instances};
use crate::{
    auth::{external::Issuer, webhook},
    support::{Client, World, eventually},
};

const CONNECTIONS: usize = 8;

/// Events whose actor was deactivated or erased where they stand, straight from the log.
async fn written_by_the_absent(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM events e WHERE (
             SELECT a.event_type FROM events a
             WHERE a.aggregate_type = 'account' AND 'account:' || a.aggregate_id = e.metadata->>'actor'
               AND a.event_type IN ('AccountDeactivated', 'AccountReactivated', 'AccountErased')
               AND a.position < e.position
             ORDER BY a.position DESC LIMIT 1) IN ('AccountDeactivated', 'AccountErased')",
    )
    .fetch_one(pool)
    .await
    .expect("a count")
}

/// Edits as fast as it goes from each round's beginning on, until refused.
async fn edit(
    client: Client,
    path: String,
    number: usize,
    mut rounds: watch::Receiver<usize>,
    edits: Arc<AtomicUsize>,
) {
    let mut edit = 0;
    while rounds.changed().await.is_ok() {
        rounds.borrow_and_update();
        loop {
            edit += 1;
            let reply = client.patch(&path, json!({"description": format!("{number}.{edit}")})).await;
            if reply.status == 401 {
                break;
            }
            reply.is(200);
            edits.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_edit_follows_a_deactivation() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let ((here, provider), (there, _)) = tokio::join!(webhook::start(&world, &issuer), webhook::start(&world, &issuer));
    let tell = async |round: usize, banned: bool| {
        let at = 1_700_000_000_000 + 2 * i64::try_from(round).expect("a number") + i64::from(banned);
        let mut person = webhook::person(at, "Ada");
        person["banned"] = banned.into();
        provider.tell("user.updated", person).await.is(204);
    };
    tell(0, false).await;
    let ada = here.client().with_token(&issuer.token(&json!({"sub": "user_1"})));
    let project = ada.post("/projects", json!({"name": "Apollo"})).await.is(201).id();
    let edits = Arc::<AtomicUsize>::default();
    let (rounds, _) = watch::channel(0);
    let mut editors = JoinSet::new();
    for number in 0..CONNECTIONS {
        let client = if number % 2 == 0 { ada.clone() } else { ada.at(&there.address) };
        editors.spawn(edit(client, format!("/projects/{project}"), number, rounds.subscribe(), Arc::clone(&edits)));
    }
    for round in 1..=all_rounds() {
        tell(round, false).await;
        let before = edits.load(Ordering::Relaxed);
        rounds.send_replace(round);
        eventually("an edit", async || edits.load(Ordering::Relaxed) > before).await;
        tell(round, true).await;
    }
    drop(rounds);
    while let Some(ended) = editors.join_next().await {
        ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
    eprintln!("{} edits in {} rounds", edits.load(Ordering::Relaxed), all_rounds());
    assert_eq!(written_by_the_absent(&world.pool().await).await, 0, "edits behind a deactivation");
    assert_proved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_writes_nothing_once_its_account_is_deactivated_or_erased() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let edits = Arc::<AtomicUsize>::default();
    for deactivate in [true, false, true, false] {
        let grace = here.person("grace").await;
        let project = grace.project("Apollo").await;
        // Somebody else stays, so that there is something to write to.
        let ada = here.person("ada").await;
        ada.at(&there.address).get("/auth/me").await.is(200);
        let others = ada.project("Gemini").await;
        ada.invite(&others, &grace, "collaborator").await;
        let (rounds, _) = watch::channel(0);
        let mut editors = JoinSet::new();
        for number in 0..CONNECTIONS {
            let client = if number % 2 == 0 { grace.clone() } else { grace.at(&there.address) };
            let path = format!("/projects/{}/tasks", if number % 4 < 2 { &project } else { &others });
            let (mut rounds, edits) = (rounds.subscribe(), Arc::clone(&edits));
            editors.spawn(async move {
                rounds.changed().await.expect("a beginning");
                loop {
                    let reply = client.post(&path, json!({"title": "Launch"})).await;
                    if reply.status != 201 {
                        // Erased, she is a member of nothing; deactivated, she is nobody.
                        assert!(matches!(reply.status, 401 | 404), "{}", reply.text);
                        break;
                    }
                    edits.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let before = edits.load(Ordering::Relaxed);
        rounds.send_replace(1);
        eventually("edits", async || edits.load(Ordering::Relaxed) > before + 20).await;
        if deactivate {
            let (done, text) = world.command(&["accounts", "deactivate", &grace.id]).await;
            assert!(done, "{text}");
        } else {
            let body = json!({"password": grace.password}).to_string();
            grace.send(reqwest::Method::DELETE, "/auth/me", Some(body)).await.is(204);
        }
        while let Some(ended) = editors.join_next().await {
            ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        }
    }
    assert_eq!(written_by_the_absent(&world.pool().await).await, 0, "events behind the end of their actor");
    assert_proved(&world).await;
}
