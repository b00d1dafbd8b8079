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
    for bad in ["short", "password", "passw0rd", "P@ssw0rd2", "wORKROOM1", &*"x".repeat(129), &ada.email] {
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
    for weak in ["password", "P@ssw0rd2"] {
        let weak = nobody.post("/auth/password/reset", reset(&token, weak)).await.problem(422);
        assert_eq!(weak.json["errors"][0]["pointer"], "/new_password");
    }
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

/// A hash of no known kind, or one that would take minutes: whoever asks learns nothing of it, and the owner gets in by mail.
#[tokio::test(flavor = "multi_thread")]
async fn a_hash_that_cannot_be_used_is_like_a_wrong_password() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let unknown = server.client().post("/auth/login", json!({"email": "x@example.com", "password": "U*U*U"})).await;
    for hash in ["$2b$31$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "$2b$12$", "{SSHA}x", ""] {
        sqlx::query("UPDATE accounts SET password_hash = $1").bind(hash).execute(&pool).await.expect("an update");
        let reply = server.client().post("/auth/login", json!({"email": ada.email, "password": "U*U*U"})).await;
        assert_eq!(reply.problem(401).json["detail"], unknown.json["detail"], "{hash}");
    }
    server.client().post("/auth/password/forgot", json!({"email": ada.email})).await.is(202);
    let token = world.mailed_token(&ada.email, RESET).await;
    let reset = json!({"token": token, "new_password": "set anew by mail"});
    server.client().post("/auth/password/reset", reset).await.is(200);
    assert_eq!(signs_in(&server, &ada, "set anew by mail").await, 200);
}

/// A hash that costs a second, of anybody: from the next start on, no refusal comes sooner than its own would. A busy machine makes
/// all of this slower, and nothing quicker.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_wait_for_the_dearest_hash_that_an_account_has() {
    let world = World::new().await;
    let first = world.server().await;
    let [ada, grace] = [first.person("ada").await, first.person("grace").await];
    let pool = world.pool().await;
    sqlx::query(
        "UPDATE accounts SET password_hash = '$2b$14$' || repeat('X', 21) || repeat('O', 32) WHERE id = $1::uuid",
    )
    .bind(&ada.id)
    .execute(&pool)
    .await
    .expect("an update");
    let second = world.server().await;
    for email in [ada.email.as_str(), &grace.email, "nobody@example.com"] {
        let begun = std::time::Instant::now();
        let wrong = json!({"email": email, "password": "a wrong password"});
        second.client().post("/auth/login", wrong).await.problem(401);
        assert!(begun.elapsed() > std::time::Duration::from_millis(400), "{email}: {:?}", begun.elapsed());
    }
    assert_eq!(signs_in(&second, &grace, &grace.password).await, 200);
}

/// Prints what refusals take, and how far apart they are (Welch's t): `cargo test --release --test api -- --ignored --nocapture
/// refusals_take`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
async fn refusals_take() {
    const ROUNDS: u32 = 60;
    let world = World::new().await;
    let first = world.server().await;
    let [ada, grace] = [first.person("ada").await, first.person("grace").await];
    let pool = world.pool().await;
    sqlx::query(
        "UPDATE accounts SET password_hash = '$2b$12$' || repeat('X', 21) || repeat('O', 32) WHERE id = $1::uuid",
    )
    .bind(&ada.id)
    .execute(&pool)
    .await
    .expect("an update");
    // How often somebody may fail is not what is measured.
    let unlimited = ["ACCOUNT", "ADDRESS"].map(|by| format!("WORKROOM_LOGIN_THROTTLE__{by}_ATTEMPTS"));
    let server = world.server_with(&[], &[(&unlimited[0], "100000"), (&unlimited[1], "100000")]).await;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (email, times) in [ada.email.as_str(), &grace.email, "nobody@example.com"].iter().zip(&mut times) {
            let begun = std::time::Instant::now();
            server.client().post("/auth/login", json!({"email": email, "password": "a wrong password"})).await;
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    let moments = times.map(|times| {
        let mean = times.iter().sum::<f64>() / f64::from(ROUNDS);
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / f64::from(ROUNDS - 1);
        (mean, variance)
    });
    let t = |(a, var_a): (f64, f64), (b, var_b): (f64, f64)| (a - b) / ((var_a + var_b) / f64::from(ROUNDS)).sqrt();
    for (who, (mean, variance)) in ["imported", "own", "unknown"].iter().zip(moments) {
        println!(
            "{who}: {mean:.2} ms ± {:.2}, t against unknown {:.2}",
            variance.sqrt(),
            t((mean, variance), moments[2])
        );
    }
}
