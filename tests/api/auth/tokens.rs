//! `/auth/tokens`

use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Closed, Person, Socket, World};

fn in_days(days: i64) -> String {
    let at = workroom::clock::now() + time::Duration::days(days);
    at.format(&time::format_description::well_known::Rfc3339).expect("a time")
}

async fn token(person: &Person, body: Value) -> (String, String) {
    let made = person.post("/auth/tokens", body).await.is(201);
    (made.id(), made.json["token"].as_str().expect("a token").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_its_scope_says_and_never_the_account() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let (_, read) = token(&ada, json!({"name": "reader"})).await;
    let (_, write) = token(&ada, json!({"name": "writer", "scopes": ["write"]})).await;
    let (reader, writer) = (server.client().with_token(&read), server.client().with_token(&write));
    for client in [&reader, &writer] {
        client.get(&path).await.is(200);
        client.get("/auth/me").await.is(200);
        client.get("/auth/sessions").await.problem(403);
        client.get("/auth/me/events").await.problem(403);
        client.get("/auth/tokens").await.problem(403);
        client.post("/auth/tokens", json!({"name": "more"})).await.problem(403);
        client.post("/auth/logout", json!({})).await.problem(403);
        client.patch("/auth/me", json!({"full_name": "x"})).await.problem(403);
        let erase = json!({"password": ada.password}).to_string();
        client.send(reqwest::Method::DELETE, "/auth/me", Some(erase)).await.problem(403);
        let change = json!({"current_password": ada.password, "new_password": "a good new one"});
        client.post("/auth/password", change).await.problem(403);
    }
    reader.patch(&path, json!({"description": "no"})).await.problem(403);
    writer.patch(&path, json!({"description": "yes"})).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_told_once_kept_as_a_hash_and_revoked_at_once() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (id, secret) = token(&ada, json!({"name": "deploy", "scopes": ["read"]})).await;
    assert!(secret.starts_with("wrp_"));
    let listed = ada.get("/auth/tokens").await.is(200);
    assert_eq!(listed.items()[0]["id"], id);
    assert!(!listed.text.contains(&secret) && listed.items()[0]["last_used_at"].is_null());
    let client = server.client().with_token(&secret);
    client.get("/auth/me").await.is(200);
    assert!(ada.get("/auth/tokens").await.is(200).items()[0]["last_used_at"].is_string());
    let pool = world.pool().await;
    let row: String =
        sqlx::query_scalar("SELECT to_jsonb(t)::text FROM personal_tokens t").fetch_one(&pool).await.expect("a row");
    assert!(!row.contains(&secret[4..]));
    let mut socket = Socket::open(&client).await;
    grace.delete(&format!("/auth/tokens/{id}")).await.problem(404);
    ada.delete(&format!("/auth/tokens/{id}")).await.is(204);
    ada.delete(&format!("/auth/tokens/{id}")).await.problem(404);
    client.get("/auth/me").await.problem(401);
    assert_eq!(socket.until_closed().await.1, Closed(4401));
    let log = ada.get("/auth/me/events").await.is(200).text;
    assert!(log.contains("TokenCreated") && log.contains("TokenRevoked") && !log.contains("deploy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_when_it_says_and_nothing_like_one_is_accepted() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for body in [
        json!({"name": ""}),
        json!({"name": "x".repeat(201)}),
        json!({"name": "a", "scopes": []}),
        json!({"name": "a", "scopes": ["admin"]}),
        json!({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}),
        json!({"name": "a", "expires_at": "tomorrow"}),
        json!({"name": "a", "expires_at": in_days(366)}),
    ] {
        ada.post("/auth/tokens", body).await.problem(422);
    }
    let (_, secret) = token(&ada, json!({"name": "brief", "expires_at": in_days(364)})).await;
    let client = server.client().with_token(&secret);
    client.get("/auth/me").await.is(200);
    let pool = world.pool().await;
    sqlx::query("UPDATE personal_tokens SET expires_at = now()").execute(&pool).await.expect("an update");
    client.get("/auth/me").await.problem(401);
    for forged in ["wrp_", &secret[..secret.len() - 1], &format!("{secret}0"), &ada.refresh_token] {
        server.client().with_token(forged).get("/auth/me").await.problem(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_once_for_one_key_and_its_secret_is_told_again() {
    let world = World::new().await;
    let (server, other) = (world.server().await, world.server().await);
    let ada = server.person("ada").await;
    let key = Uuid::now_v7().to_string();
    let body = json!({"name": "deploy", "scopes": ["write"]});
    let here = ada.with_header("idempotency-key", &key);
    let there = ada.at(&other.address).with_header("idempotency-key", &key);
    // At once, here and there: one is made; who comes too early on the same instance is told so.
    let replies =
        join_all((0..8).map(|n| if n % 2 == 0 { &here } else { &there }.post("/auth/tokens", body.clone()))).await;
    let made: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert!(replies.iter().all(|reply| [201, 409].contains(&reply.status)) && !made.is_empty());
    let first = made[0].json.clone();
    assert!(made.iter().all(|reply| reply.json == first));
    assert!(made.iter().filter(|reply| reply.header("idempotent-replayed") != "true").count() <= 1);
    let again = there.post("/auth/tokens", body).await.is(201);
    assert_eq!((again.header("idempotent-replayed"), &again.json), ("true", &first));
    assert_eq!(ada.get("/auth/tokens").await.is(200).items().len(), 1);
    let secret = first["token"].as_str().expect("a token");
    server.client().with_token(secret).get("/auth/me").await.is(200);

    // What is kept does not tell it, and another request does not get it.
    let kept: String = sqlx::query_scalar("SELECT string_agg(to_jsonb(r)::text, '') FROM idempotency_receipts r")
        .fetch_one(&world.pool().await)
        .await
        .expect("receipts");
    assert!(kept.contains("deploy") && !kept.contains(&secret[4..]), "{kept}");
    here.post("/auth/tokens", json!({"name": "another"})).await.problem(422);
    let grace = server.person("grace").await.with_header("idempotency-key", &key);
    let hers = grace.post("/auth/tokens", json!({"name": "deploy", "scopes": ["write"]})).await.is(201);
    assert_ne!(hers.json["token"], first["token"]);
}
