//! Signing in: by header, by ticket, by `hello`; and not.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

use super::is_quiet;
use crate::support::{Closed, Socket, World};

#[tokio::test]
async fn a_header_signs_in() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let bearer = format!("Bearer {}", ada.token());
    let mut socket = Socket::attempt(&server.address, "", &[("authorization", &bearer)]).await.expect("a socket");
    let welcome = socket.expect("welcome").await;
    assert_eq!(welcome["user_id"], ada.id);
    assert_eq!(welcome["ping_interval"], 20);
    for id in ["connection_id", "epoch"] {
        assert!(welcome[id].as_str().is_some_and(|id| Uuid::try_parse(id).is_ok()), "{id}: {welcome}");
    }
    // A `hello` without a token is a courtesy then.
    socket.send(json!({"type": "hello"})).await;
    is_quiet(&mut socket).await;
}

#[tokio::test]
async fn a_ticket_signs_in_once() {
    let world = World::new().await;
    let (server, other) = (world.server().await, world.server().await);
    let ada = server.person("ada").await;
    let ticket = ada.post("/realtime/tickets", json!(null)).await.is(201).json;
    let ticket = ticket["ticket"].as_str().expect("a ticket");
    let mut socket = Socket::with_ticket(&other.address, ticket).await;
    assert_eq!(socket.expect("welcome").await["user_id"], ada.id);
    for address in [&server.address, &other.address] {
        let again = Socket::attempt(address, &format!("?ticket={ticket}"), &[]).await;
        assert_eq!(again.err(), Some(401), "a ticket is used up by whoever comes first, wherever");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_made_once_for_one_key_and_still_signs_in_once() {
    let world = World::new().await;
    let (server, other) = (world.server().await, world.server().await);
    let ada = server.person("ada").await;
    let key = Uuid::now_v7().to_string();
    let here = ada.with_header("idempotency-key", &key);
    let there = ada.at(&other.address).with_header("idempotency-key", &key);
    let replies =
        join_all((0..8).map(|n| if n % 2 == 0 { &here } else { &there }.post("/realtime/tickets", json!(null)))).await;
    let replies: Vec<_> = replies.into_iter().map(|reply| reply.is(201)).collect();
    assert!(replies.iter().all(|reply| reply.json == replies[0].json), "one ticket");
    assert_eq!(replies.iter().filter(|reply| reply.header("idempotent-replayed") != "true").count(), 1);
    let ticket = replies[0].json["ticket"].as_str().expect("a ticket").to_owned();
    let kept: String = sqlx::query_scalar("SELECT string_agg(to_jsonb(r)::text, '') FROM idempotency_receipts r")
        .fetch_one(&world.pool().await)
        .await
        .expect("receipts");
    assert!(!kept.contains(&ticket), "{kept}");
    let mut socket = Socket::with_ticket(&other.address, &ticket).await;
    assert_eq!(socket.expect("welcome").await["user_id"], ada.id);
    // Told again, it is the same, and used up.
    assert_eq!(here.post("/realtime/tickets", json!(null)).await.is(201).json["ticket"], ticket);
    assert_eq!(Socket::attempt(&server.address, &format!("?ticket={ticket}"), &[]).await.err(), Some(401));

    // Other credentials of the same account do not get it: it opens what its own do.
    let writer = ada.post("/auth/tokens", json!({"name": "writer", "scopes": ["write"]})).await.is(201).json;
    let writer = server.client().with_token(writer["token"].as_str().expect("a token"));
    writer.with_header("idempotency-key", &key).post("/realtime/tickets", json!(null)).await.problem(422);

    // A day later the key is free again, and makes another one.
    let aged = sqlx::query("UPDATE idempotency_receipts SET created_at = created_at - interval '25 hours'");
    aged.execute(&world.pool().await).await.expect("older receipts");
    let next = here.post("/realtime/tickets", json!(null)).await.is(201);
    assert_eq!(next.header("idempotent-replayed"), "");
    assert_ne!(next.json["ticket"], ticket);
}

#[tokio::test]
async fn a_hello_signs_in_and_nothing_else_is_done_before() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::anonymous(&server.address).await;
    is_quiet(&mut socket).await;
    for frame_type in ["subscribe", "unsubscribe"] {
        socket.send(json!({"type": frame_type, "project_id": project})).await;
        let error = socket.expect("error").await;
        assert_eq!((&error["code"], &error["project_id"]), (&json!("unauthenticated"), &json!(project)));
    }
    socket.send(json!({"type": "refresh", "token": ada.token()})).await;
    assert_eq!(socket.expect("error").await["code"], "unauthenticated");
    socket.send(json!({"type": "hello", "token": ada.token()})).await;
    assert_eq!(socket.expect("welcome").await["user_id"], ada.id);
    assert!(!socket.subscribe(&project, 0).await.is_empty());
}

#[tokio::test]
async fn credentials_that_do_not_hold_open_nothing() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let forged = format!("Bearer {}x", ada.token());
    for value in ["Bearer nonsense", "Bearer ", "Basic YWRhOmFkYQ==", forged.as_str()] {
        let refused = Socket::attempt(&server.address, "", &[("authorization", value)]).await;
        assert_eq!(refused.err(), Some(401), "{value}");
    }
    let refused = Socket::attempt(&server.address, "?ticket=nonsense", &[]).await;
    assert_eq!(refused.err(), Some(401));
    for hello in [json!({"type": "hello", "token": "nonsense"}), json!({"type": "hello"})] {
        let mut socket = Socket::anonymous(&server.address).await;
        socket.send(hello).await;
        assert_eq!(socket.until_closed().await, (vec![], Closed(4401)));
    }
    let mut socket = Socket::open(&ada).await;
    socket.send(json!({"type": "refresh", "token": bob.token()})).await;
    assert_eq!(socket.until_closed().await, (vec![], Closed(4401)), "a socket does not change hands");
}

#[tokio::test]
async fn who_does_not_sign_in_is_shown_out() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut signed_in = Socket::open(&ada).await;
    let opened = Instant::now();
    let mut silent = Socket::anonymous(&server.address).await;
    assert_eq!(silent.until_closed().await, (vec![], Closed(4408)));
    assert!(opened.elapsed() > Duration::from_secs(4), "after {:?}", opened.elapsed());
    is_quiet(&mut signed_in).await;
}
