//! Codes of what is bounded, or turned off, by the configuration.

use serde_json::json;

use super::{Met, upgrading};
use crate::support::{Socket, World};

pub const MET: &[&str] = &[
    "no-sandbox",
    "origin-refused",
    "too-many-attempts",
    "too-many-invitations",
    "too-many-requests",
    "too-many-sockets",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_configured_lets_nobody_do_more() {
    let mut met = Met::default();
    let world = World::new().await;
    let settings = [
        ("WORKROOM_SANDBOX_FOLDER", "/nowhere"),
        ("WORKROOM_INVITATIONS_PER_SENDER", "1"),
        ("WORKROOM_LOGIN_THROTTLE__ACCOUNT_ATTEMPTS", "1"),
        ("WORKROOM_RATE_LIMITS__RECOVERIES_PER_ADDRESS", "1"),
        ("WORKROOM_SOCKETS_PER_ADDRESS", "1"),
    ];
    let server = world.server_with(&[], &settings).await;
    let (anybody, ada) = (server.client(), server.person("ada").await);

    let forgot = json!({"email": "nobody@example.com"});
    anybody.post("/auth/password/forgot", forgot.clone()).await.is(202);
    met.refused(anybody.post("/auth/password/forgot", forgot).await, "too-many-requests");
    let login = json!({"email": "nobody@example.com", "password": "guess a password"});
    anybody.post("/auth/login", login.clone()).await.is(401);
    met.refused(anybody.post("/auth/login", login).await, "too-many-attempts");
    let members = format!("/projects/{}/members", ada.project("Apollo").await);
    ada.post(&members, json!({"email": "grace@example.com"})).await.is(201);
    met.refused(ada.post(&members, json!({"email": "barbara@example.com"})).await, "too-many-invitations");

    let foreign = upgrading(&ada).with_header("origin", "https://elsewhere.example");
    met.refused(foreign.get("/realtime").await, "origin-refused");
    let _open = Socket::open(&ada).await;
    met.refused(upgrading(&ada).get("/realtime").await, "too-many-sockets");
    let job = json!({"type": "code_execution", "language": "python", "code": "print(1)"});
    met.refused(ada.post("/jobs", job).await, "no-sandbox");
    met.are(MET);
}
