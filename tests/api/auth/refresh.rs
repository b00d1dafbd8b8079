//! `POST /auth/refresh`

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Person, Reply, Server, World};

async fn refresh(server: &Server, token: &str) -> Reply {
    server.client().post("/auth/refresh", json!({"refresh_token": token})).await
}

fn refresh_token(reply: &Reply) -> String {
    reply.json["refresh_token"].as_str().expect("a refresh token").to_owned()
}

/// The ends of her sessions, read in a new one.
async fn ended(server: &Server, ada: &Person) -> Vec<Value> {
    let login = json!({"email": ada.email, "password": ada.password});
    let tokens = server.client().post("/auth/login", login).await.is(200).json;
    let client = server.client().with_token(tokens["access_token"].as_str().expect("a token"));
    client.get("/auth/me/events?type=SessionEnded").await.is(200).items().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_exchanged_for_a_new_pair() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut seen = HashSet::from([ada.refresh_token.clone(), ada.token().to_owned()]);
    let mut token = ada.refresh_token.clone();
    for _ in 0..4 {
        let reply = refresh(&server, &token).await.is(200);
        token = refresh_token(&reply);
        let access_token = reply.json["access_token"].as_str().expect("an access token");
        assert_eq!(reply.json["user"]["id"], ada.id);
        assert!(seen.insert(token.clone()) && seen.insert(access_token.to_owned()), "never the same again");
        server.client().with_token(access_token).get("/auth/me").await.is(200);
    }
    assert_eq!(ended(&server, &ada).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_at_once_gets_the_same_successor() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let first = refresh(&server, &ada.refresh_token).await.is(200);
    let retry = refresh(&server, &ada.refresh_token).await.is(200);
    assert_eq!(refresh_token(&first), refresh_token(&retry));
    refresh(&server, &refresh_token(&retry)).await.is(200);
    let refreshed = ada.get("/auth/me/events?type=SessionRefreshed").await.is(200);
    assert_eq!(refreshed.items().len(), 2, "a retry is no further rotation");
    assert_eq!(ended(&server, &ada).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_token_ends_the_session_and_says_so_in_the_log() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let second = refresh_token(&refresh(&server, &ada.refresh_token).await.is(200));
    let third = refresh_token(&refresh(&server, &second).await.is(200));
    let stolen = refresh(&server, &ada.refresh_token).await.problem(401);
    assert!(!stolen.header("www-authenticate").is_empty());
    let log = ended(&server, &ada).await;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["data"]["reason"], "refresh_token_reused");
    for token in [&third, &second, &ada.refresh_token] {
        refresh(&server, token).await.problem(401);
    }
    assert_eq!(ended(&server, &ada).await.len(), 1, "it ends once");
    // Other sessions of hers go on.
    let login = json!({"email": ada.email, "password": ada.password});
    let other = server.client().post("/auth/login", login).await.is(200);
    refresh(&server, &refresh_token(&other)).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_comes_after_the_time_for_retries_ends_the_session() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let second = refresh_token(&refresh(&server, &ada.refresh_token).await.is(200));
    let moved =
        sqlx::query("UPDATE sessions SET rotated_at = rotated_at - interval '11 seconds' WHERE account_id = $1")
            .bind(ada.id.parse::<uuid::Uuid>().unwrap())
            .execute(&world.pool().await)
            .await
            .expect("an older rotation");
    assert_eq!(moved.rows_affected(), 1);
    refresh(&server, &ada.refresh_token).await.problem(401);
    refresh(&server, &second).await.problem(401);
    assert_eq!(ended(&server, &ada).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_expired_cannot_be_refreshed() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    sqlx::query("UPDATE sessions SET expires_at = now() - interval '1 second'")
        .execute(&world.pool().await)
        .await
        .expect("an expired session");
    refresh(&server, &ada.refresh_token).await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_exchanges_of_one_token_at_once_have_one_successor() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let replies = join_all((0..50).map(|_| refresh(&server, &ada.refresh_token))).await;
    let successors: HashSet<_> = replies.into_iter().map(|reply| refresh_token(&reply.is(200))).collect();
    assert_eq!(successors.len(), 1);
    let refreshed = ada.get("/auth/me/events?type=SessionRefreshed").await.is(200);
    assert_eq!(refreshed.items().len(), 1);
    assert_eq!(ended(&server, &ada).await, Vec::<Value>::new());
    refresh(&server, successors.iter().next().unwrap()).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbled_and_forged_tokens_are_refused_and_harm_nobody() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let grace = server.person("grace").await;
    let bytes = |token: &str| URL_SAFE_NO_PAD.decode(token.strip_prefix("wrt_").expect("a prefix")).expect("base64url");
    let token = |bytes: &[u8]| format!("wrt_{}", URL_SAFE_NO_PAD.encode(bytes));
    let (hers, graces) = (bytes(&ada.refresh_token), bytes(&grace.refresh_token));
    let mut forged = vec![
        String::new(),
        "wrt_".to_owned(),
        "nonsense".to_owned(),
        ada.token().to_owned(),
        ada.refresh_token.to_uppercase(),
        format!("{}A", ada.refresh_token),
        format!(" {}", ada.refresh_token),
        ada.refresh_token[..ada.refresh_token.len() - 1].to_owned(),
        token(&[0; 52]),
        // Her session with Grace's proof, the next generation with this one's.
        token(&[&hers[..20], &graces[20..]].concat()),
        token(&[&hers[..16], &[0, 0, 0, 1], &hers[20..]].concat()),
        token(&[&hers[..16], &[255; 4], &hers[20..]].concat()),
        "x".repeat(100_000),
    ];
    for at in [0, 15, 19, 20, 51] {
        let mut flipped = hers.clone();
        flipped[at] ^= 1;
        forged.push(token(&flipped));
    }
    for token in forged {
        refresh(&server, &token).await.problem(401);
    }
    refresh(&server, &ada.refresh_token).await.is(200);
    assert_eq!(ended(&server, &ada).await, Vec::<Value>::new());
}
