//! Codes of accounts, and of what they are proved with.

use serde_json::json;

use super::{Met, upgrading};
use crate::support::World;

pub const MET: &[&str] = &[
    "credentials-missing",
    "email-taken",
    "mail-token-invalid",
    "malformed-email",
    "malformed-username",
    "not-a-web-address",
    "refresh-token-invalid",
    "scope-missing",
    "session-ended",
    "ticket-invalid",
    "token-invalid",
    "too-many-tokens",
    "username-taken",
    "weak-password",
    "wrong-credentials",
    "wrong-password",
];

const PASSWORD: &str = "a rare and quiet harbour";

#[tokio::test(flavor = "multi_thread")]
async fn who_somebody_is_does_not_hold() {
    let mut met = Met::default();
    let world = World::new().await;
    let server = world.server().await;
    let (anybody, ada) = (server.client(), server.person("ada").await);

    met.refused(anybody.get("/auth/me").await, "credentials-missing");
    met.refused(anybody.with_token("nonsense").get("/auth/me").await, "token-invalid");
    let refresh = json!({"refresh_token": "nonsense"});
    met.refused(anybody.post("/auth/refresh", refresh).await, "refresh-token-invalid");
    let login = json!({"email": ada.email, "password": "not hers"});
    met.refused(anybody.post("/auth/login", login).await, "wrong-credentials");
    met.refused(upgrading(&anybody).get("/realtime?ticket=nonsense").await, "ticket-invalid");
    let proof = json!({"token": "nonsense"});
    met.refused_field(anybody.post("/auth/email/verify", proof).await, "/token", "mail-token-invalid");

    let register = async |email: &str, username: &str, password: &str| {
        anybody.post("/auth/register", json!({"email": email, "username": username, "password": password})).await
    };
    let hers = ada.get("/auth/me").await.is(200).json["username"].as_str().expect("a user name").to_owned();
    let (email, username) = ("grace@example.com", "grace");
    met.refused(register(&ada.email, username, PASSWORD).await, "email-taken");
    met.refused(register(email, &hers, PASSWORD).await, "username-taken");
    met.refused_field(register("no address", username, PASSWORD).await, "/email", "malformed-email");
    met.refused_field(register(email, "no name", PASSWORD).await, "/username", "malformed-username");
    met.refused_field(register(email, username, "password").await, "/password", "weak-password");

    let change = json!({"current_password": "not hers", "new_password": PASSWORD});
    met.refused_field(ada.post("/auth/password", change).await, "/current_password", "wrong-password");
    let picture = json!({"image_url": "javascript:alert(1)"});
    met.refused_field(ada.patch("/auth/me", picture).await, "/image_url", "not-a-web-address");

    let made = ada.post("/auth/tokens", json!({"name": "reader", "scopes": ["read"]})).await.is(201).json;
    let reader = anybody.with_token(made["token"].as_str().expect("a token"));
    met.refused(reader.post("/projects", json!({"name": "Apollo"})).await, "scope-missing");
    // As many more as an account can have.
    sqlx::query(
        "INSERT INTO personal_tokens (id, account_id, token_hash, name, scope, created_at)
         SELECT gen_random_uuid(), $1::uuid, decode(md5(n::text), 'hex'), n::text, 'read', now()
         FROM generate_series(1, 99) n",
    )
    .bind(&ada.id)
    .execute(&world.pool().await)
    .await
    .expect("tokens");
    met.refused(ada.post("/auth/tokens", json!({"name": "one more"})).await, "too-many-tokens");

    ada.post("/auth/logout", json!({})).await.is(204);
    met.refused(ada.get("/auth/me").await, "session-ended");
    met.are(MET);
}
