//! What somebody had to say with invitations stands in no event. It goes when they are erased with what they wrote.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::{are_gone, dump};
use crate::{organizations, support::World};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_with_invitations_goes_with_what_was_written() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace, eve) = (server.person("ada").await, server.person("grace").await, server.person("eve").await);
    let acme = organizations::organization(&ada, "Acme").await;
    organizations::add(&ada, &acme, &grace, "admin").await;
    let members = format!("/organizations/{acme}/members");
    let nobody = format!("nobody-{}@example.com", Uuid::now_v7().simple());
    for (email, message) in [(&eve.email, "canary-note"), (&nobody, "canary-message")] {
        grace.post(&members, json!({"email": email, "role": "member", "message": message})).await.is(201);
    }
    let pool = world.pool().await;
    let said = dump(&pool).await;
    assert!(said.contains("canary-note") && said.contains("canary-message"), "{said}");
    let body = Some(json!({"password": grace.password}).to_string());
    grace.send(Method::DELETE, "/auth/me?content=redact", body).await.is(204);
    are_gone(&pool, &["canary-note", "canary-message"]).await;
}
