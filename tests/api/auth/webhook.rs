//! `POST /webhooks/identity`

use std::time::Instant;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::external::Issuer;
use crate::support::{Client, Closed, Reply, Server, Socket, World};

pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// An identity provider that tells of its people.
pub struct Provider {
    client: Client,
}

impl Provider {
    pub fn sign(id: &str, at: i64, body: &str) -> String {
        let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        format!("v1,{}", STANDARD.encode(hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes())))
    }

    async fn send(&self, prefix: &str, id: &str, at: i64, signature: &str, body: &str) -> Reply {
        let client = self
            .client
            .with_header(&format!("{prefix}-id"), id)
            .with_header(&format!("{prefix}-timestamp"), &at.to_string())
            .with_header(&format!("{prefix}-signature"), signature);
        client.send(Method::POST, "/webhooks/identity", Some(body.to_owned())).await
    }

    pub async fn tell(&self, kind: &str, data: Value) -> Reply {
        let (id, at) = (format!("msg_{}", Uuid::now_v7().simple()), now());
        let body = json!({"type": kind, "data": data}).to_string();
        self.send("svix", &id, at, &Self::sign(&id, at, &body), &body).await
    }
}

fn now() -> i64 {
    workroom::clock::now().unix_timestamp()
}

pub async fn start(world: &World, issuer: &Issuer) -> (Server, Provider) {
    let issuers = issuer.setting();
    let settings = [
        ("WORKROOM_EXTERNAL_ISSUERS", issuers.as_str()),
        ("WORKROOM_IDENTITY_WEBHOOK__ISSUER", issuer.name.as_str()),
        ("WORKROOM_IDENTITY_WEBHOOK__SECRETS", &*format!("[\"{SECRET}\"]")),
    ];
    let server = world.server_with(&[], &settings).await;
    let provider = Provider { client: server.client() };
    (server, provider)
}

pub fn person(updated_at: i64, name: &str) -> Value {
    json!({"id": "user_1", "first_name": name, "last_name": "Lovelace", "username": "ada-l", "updated_at": updated_at,
        "primary_email_address_id": "e1",
        "email_addresses": [{"id": "e1", "email_address": "ada@example.com", "verification": {"status": "verified"}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_are_renamed_and_go_as_the_provider_tells() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let (server, provider) = start(&world, &issuer).await;
    let began = Instant::now();
    provider.tell("user.created", person(1_700_000_001_000, "Ada")).await.is(204);
    assert!(began.elapsed().as_secs_f64() < 1.0);
    let ada = server.client().with_token(&issuer.token(&json!({"sub": "user_1"})));
    let me = ada.get("/auth/me").await.is(200).json;
    assert_eq!((&me["full_name"], &me["username"]), (&json!("Ada Lovelace"), &json!("ada-l")));
    assert_eq!((&me["email"], &me["email_verified"]), (&json!("ada@example.com"), &json!(true)));
    provider.tell("user.updated", person(1_700_000_003_000, "Augusta")).await.is(204);
    // Out of order, and again: no news.
    provider.tell("user.updated", person(1_700_000_002_000, "Adele")).await.is(204);
    provider.tell("user.created", person(1_700_000_001_000, "Ada")).await.is(204);
    let renamed = ada.get("/auth/me").await.is(200).json;
    assert_eq!((&renamed["full_name"], &renamed["id"]), (&json!("Augusta Lovelace"), &me["id"]));
    let mut banned = person(1_700_000_004_000, "Augusta");
    banned["banned"] = true.into();
    provider.tell("user.updated", banned).await.is(204);
    ada.get("/auth/me").await.problem(401);
    provider.tell("user.updated", person(1_700_000_005_000, "Augusta")).await.is(204);
    ada.get("/auth/me").await.is(200);
    for _ in 0..2 {
        provider.tell("user.deleted", json!({"id": "user_1", "deleted": true})).await.is(204);
        ada.get("/auth/me").await.problem(401);
    }
    // Deletions are final.
    provider.tell("user.created", person(1_800_000_000_000, "Ada")).await.is(204);
    ada.get("/auth/me").await.problem(401);
    provider.tell("user.deleted", json!({"id": "user_never_seen"})).await.is(204);
    let never = server.client().with_token(&issuer.token(&json!({"sub": "user_never_seen"})));
    never.get("/auth/me").await.problem(401);
    provider.tell("session.created", json!({"id": "sess_1"})).await.is(204);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_has_closed_the_provider_does_not_open() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let (server, provider) = start(&world, &issuer).await;
    let told = |at: i64, banned: bool| {
        let mut person = person(1_700_000_000_000 + at, "Ada");
        person["banned"] = banned.into();
        provider.tell("user.updated", person)
    };
    told(1, false).await.is(204);
    let ada = server.client().with_token(&issuer.token(&json!({"sub": "user_1"})));
    let id = ada.get("/auth/me").await.is(200).id();
    let operator = async |command: &str| {
        let (done, printed) = world.command(&["accounts", command, &id]).await;
        assert!(done, "{printed}");
    };
    operator("deactivate").await;
    ada.get("/auth/me").await.problem(401);
    told(2, false).await.is(204);
    ada.get("/auth/me").await.problem(401);
    told(3, true).await.is(204);
    told(4, false).await.is(204);
    ada.get("/auth/me").await.problem(401);
    operator("reactivate").await;
    ada.get("/auth/me").await.is(200);
    // The provider's own closing, by the provider and by the operator.
    told(5, true).await.is(204);
    ada.get("/auth/me").await.problem(401);
    told(6, false).await.is(204);
    ada.get("/auth/me").await.is(200);
    told(7, true).await.is(204);
    operator("reactivate").await;
    ada.get("/auth/me").await.is(200);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_end_with_the_account_whatever_opened_them() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let (server, provider) = start(&world, &issuer).await;
    provider.tell("user.created", person(1_700_000_001_000, "Ada")).await.is(204);
    let external = server.client().with_token(&issuer.token(&json!({"sub": "user_1"})));
    let id = external.get("/auth/me").await.is(200).id();
    let grace = server.person("grace").await;
    let made = grace.post("/auth/tokens", json!({"name": "deploy"})).await.is(201).json;
    let personal = server.client().with_token(made["token"].as_str().expect("a token"));
    for (client, id) in [(&external, &id), (&personal, &grace.id)] {
        let mut socket = Socket::open(client).await;
        let (done, printed) = world.command(&["accounts", "deactivate", id]).await;
        assert!(done, "{printed}");
        assert_eq!(socket.until_closed().await.1, Closed(4401));
        client.get("/auth/me").await.problem(401);
        let (done, printed) = world.command(&["accounts", "reactivate", id]).await;
        assert!(done, "{printed}");
        // What outlasts a closing opens again, and is closed again.
        let mut socket = Socket::open(client).await;
        world.command(&["accounts", "deactivate", id]).await;
        assert_eq!(socket.until_closed().await.1, Closed(4401));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_signed_fresh_messages_are_taken_in_and_each_once() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let (_server, provider) = start(&world, &issuer).await;
    let body = json!({"type": "user.created", "data": person(1_700_000_001_000, "Ada")}).to_string();
    let good = Provider::sign("msg_1", now(), &body);
    for (id, at, signature, body) in [
        ("msg_2", now(), good.as_str(), body.as_str()),
        ("msg_1", now() + 5, &good, &body),
        ("msg_1", now(), &good, &body.replace("Ada", "Eve")),
        ("msg_1", now(), "v1,AAAA", &body),
        ("msg_1", now(), "", &body),
        ("msg_1", now() - 301, &Provider::sign("msg_1", now() - 301, &body), &body),
        ("msg_1", now() + 302, &Provider::sign("msg_1", now() + 302, &body), &body),
    ] {
        provider.send("webhook", id, at, signature, body).await.problem(401);
    }
    provider.client.send(Method::POST, "/webhooks/identity", Some(body.clone())).await.problem(401);
    for prefix in ["webhook", "svix", "webhook"] {
        let at = now();
        provider.send(prefix, "msg_1", at, &Provider::sign("msg_1", at, &body), &body).await.is(204);
    }
    for malformed in ["", "[]", "{\"type\":\"user.created\",\"data\":{}}"] {
        let at = now();
        provider.send("svix", "msg_9", at, &Provider::sign("msg_9", at, malformed), malformed).await.problem(422);
    }
    let pool = world.pool().await;
    let accounts: i64 = sqlx::query_scalar("SELECT count(*) FROM accounts").fetch_one(&pool).await.expect("a count");
    assert_eq!(accounts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_there_is_no_webhook() {
    let world = World::new().await;
    let server = world.server().await;
    server.client().post("/webhooks/identity", json!({})).await.problem(404);
}
