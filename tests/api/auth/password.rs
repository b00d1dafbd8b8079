//! `POST /auth/password`, `/auth/password/forgot`, `/auth/password/reset`, `/auth/email/verify`

use serde_json::json;

use crate::support::{Closed, Person, Server, Socket, World, eventually};

pub const RESET: &str = "Set a new password";
pub const CONFIRM: &str = "Confirm your e-mail address";

async fn signs_in(server: &Server, person: &Person, password: &str) -> u16 {
    server.client().post("/auth/login", json!({"email": person.email, "password": password})).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_the_password_ends_all_other_sessions_and_tells_the_owner() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let credentials = json!({"email": ada.email, "password": ada.password});
    let other = server.client().post("/auth/login", credentials).await.is(200).json;
    let other = server.client().with_token(other["access_token"].as_str().expect("a token"));
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let wrong = ada.post("/auth/password", change("not the password", "another good one")).await.problem(422);
    assert_eq!(wrong.json["errors"][0]["pointer"], "/current_password");
    for bad in ["short", "password", "passw0rd", &*"x".repeat(129), &ada.email] {
        let refused = ada.post("/auth/password", change(&ada.password, bad)).await.problem(422);
        assert_eq!(refused.json["errors"][0]["pointer"], "/new_password", "{bad}");
    }
    ada.post("/auth/password", change(&ada.password, "another good one")).await.is(204);
    ada.get("/auth/me").await.is(200);
    other.get("/auth/me").await.problem(401);
    assert_eq!(signs_in(&server, &ada, &ada.password).await, 401);
    assert_eq!(signs_in(&server, &ada, "another good one").await, 200);
    eventually("a notice", async || world.mails(&ada.email, "Your password was changed").len() == 1).await;
    let log = ada.get("/auth/me/events?type=PasswordChanged").await.is(200);
    assert_eq!(log.items()[0]["data"]["change"], "changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_set_anew_by_mail_once() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let nobody = server.client();
    let mut socket = Socket::open(&ada).await;
    for email in [ada.email.to_uppercase().as_str(), "nobody@example.com", "no address", "a@b.c\r\nBcc: x@y.z"] {
        nobody.post("/auth/password/forgot", json!({"email": email})).await.is(202);
    }
    let token = world.mailed_token(&ada.email, RESET).await;
    let reset = |token: &str, new: &str| json!({"token": token, "new_password": new});
    let weak = nobody.post("/auth/password/reset", reset(&token, "password")).await.problem(422);
    assert_eq!(weak.json["errors"][0]["pointer"], "/new_password");
    let verify = json!({"token": token});
    nobody.post("/auth/email/verify", verify).await.problem(422);
    let attempts = (0..8).map(|n| {
        let (nobody, body) = (nobody.clone(), reset(&token, &format!("set anew by number {n}")));
        async move { nobody.post("/auth/password/reset", body).await.status }
    });
    let mut statuses = futures::future::join_all(attempts).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422, 422, 422, 422, 422, 422]);
    for token in [token.as_str(), "", "wrm_", &"x".repeat(100_000)] {
        nobody.post("/auth/password/reset", reset(token, "yet another one")).await.problem(422);
    }
    ada.get("/auth/me").await.problem(401);
    nobody.post("/auth/refresh", json!({"refresh_token": ada.refresh_token})).await.problem(401);
    assert_eq!(socket.until_closed().await.1, Closed(4401));
    assert_eq!(signs_in(&server, &ada, &ada.password).await, 401);
    let pool = world.pool().await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM mail_tokens WHERE purpose = 'password_reset'")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(kept, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_proved_by_the_mail_to_it() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    assert_eq!(ada.get("/auth/me").await.is(200).json["email_verified"], false);
    let token = world.mailed_token(&ada.email, CONFIRM).await;
    let nobody = server.client();
    nobody.post("/auth/password/reset", json!({"token": token, "new_password": "a good one too"})).await.problem(422);
    nobody.post("/auth/email/verify", json!({"token": token})).await.is(204);
    nobody.post("/auth/email/verify", json!({"token": token})).await.problem(422);
    assert_eq!(ada.get("/auth/me").await.is(200).json["email_verified"], true);
    assert_eq!(ada.get("/auth/me/events?type=EmailVerified").await.is(200).items().len(), 1);
    ada.post("/auth/email/verification", json!({})).await.is(202);
    assert_eq!(world.mails(&ada.email, CONFIRM).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mailed_tokens_are_kept_as_hashes_and_end() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let token = world.mailed_token(&ada.email, CONFIRM).await;
    let pool = world.pool().await;
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT to_jsonb(t)::text FROM mail_tokens t").fetch_all(&pool).await.expect("rows");
    assert!(!rows.is_empty() && rows.iter().all(|row| !row.contains(&token[4..])));
    sqlx::query("UPDATE mail_tokens SET expires_at = now()").execute(&pool).await.expect("an update");
    server.client().post("/auth/email/verify", json!({"token": token})).await.problem(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_of_an_imported_account_is_verified_and_renewed() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    // From the test vectors of crypt_blowfish: the password is `U*U*U`.
    let bcrypt = "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a";
    sqlx::query("UPDATE accounts SET password_hash = $1").bind(bcrypt).execute(&pool).await.expect("an update");
    assert_eq!(signs_in(&server, &ada, "U*U*U*").await, 401);
    assert_eq!(signs_in(&server, &ada, "U*U*U").await, 200);
    let stored: String =
        sqlx::query_scalar("SELECT password_hash FROM accounts").fetch_one(&pool).await.expect("a hash");
    assert!(stored.starts_with("$argon2id$"), "{stored}");
    assert_eq!(signs_in(&server, &ada, "U*U*U").await, 200);
}
