//! Codes of accounts that another issuer vouches for, and of what it tells of them.

use reqwest::Method;
use serde_json::json;

use super::Met;
use crate::{
    auth::{external::Issuer, webhook},
    support::World,
};

pub const MET: &[&str] = &[
    "account-deactivated",
    "account-erased",
    "external-session",
    "issuer-away",
    "malformed-message",
    "no-password",
    "signature-invalid",
    "token-expired",
];

#[tokio::test(flavor = "multi_thread")]
async fn another_issuer_is_away_or_its_word_does_not_hold() {
    let mut met = Met::default();
    let (world, issuer, away) = (World::new().await, Issuer::new(), Issuer::new());
    // Nothing listens there.
    let keys = "http://127.0.0.1:1/jwks.json";
    let setting = format!("[{{issuer=\"{}\",audience=[\"workroom-app\"],jwks_url=\"{keys}\"}}]", away.name);
    let settings = [("WORKROOM_EXTERNAL_ISSUERS", setting.as_str())];
    let ((server, provider), other) =
        tokio::join!(webhook::start(&world, &issuer), world.server_with(&["--roles", "api"], &settings));
    met.refused(other.client().with_token(&away.token(&json!({}))).get("/auth/me").await, "issuer-away");

    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let expired = issuer.token(&json!({"iat": now - 120, "exp": now - 60}));
    met.refused(server.client().with_token(&expired).get("/auth/me").await, "token-expired");
    met.refused(server.client().post("/webhooks/identity", json!({})).await, "signature-invalid");
    met.refused_field(provider.tell("user.created", json!({})).await, "", "malformed-message");

    let ada = server.client().with_token(&issuer.token(&json!({"sub": "ada"})));
    let change = json!({"current_password": "none", "new_password": "a rare and quiet harbour"});
    met.refused(ada.post("/auth/password", change).await, "no-password");
    met.refused(ada.post("/auth/logout", json!({})).await, "external-session");
    let id = ada.get("/auth/me").await.is(200).id();
    let (done, printed) = world.command(&["accounts", "deactivate", &id]).await;
    assert!(done, "{printed}");
    met.refused(ada.get("/auth/me").await, "account-deactivated");

    let grace = server.client().with_token(&issuer.token(&json!({"sub": "grace"})));
    grace.send(Method::DELETE, "/auth/me", Some("{}".to_owned())).await.is(204);
    met.refused(grace.get("/auth/me").await, "account-erased");
    met.are(MET);
}
