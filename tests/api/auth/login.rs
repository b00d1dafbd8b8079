//! `POST /auth/login`, `GET /auth/me`, `GET /auth/me/events`

use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_gives_a_pair_of_tokens_and_says_whose_they_are() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let login = json!({"email": ada.email, "password": ada.password});
    let reply = server.client().post("/auth/login", login).await.is(200);
    assert_eq!(reply.json["token_type"], "bearer");
    assert_eq!(reply.json["expires_in"], 900);
    assert_eq!(reply.json["user"]["id"], ada.id);
    assert_eq!(reply.header("cache-control"), "no-store");
    let access_token = reply.json["access_token"].as_str().expect("an access token");
    let me = server.client().with_token(access_token).get("/auth/me").await.is(200);
    assert_eq!(me.json, reply.json["user"]);
    assert_eq!(me.json["email"], ada.email);
    assert_ne!(reply.json["refresh_token"], ada.refresh_token, "a session of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_address_get_the_same_reply() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut replies = Vec::new();
    for (email, password) in [
        (ada.email.as_str(), "not her password"),
        (ada.email.as_str(), ""),
        (ada.email.as_str(), &*"x".repeat(5000)),
        ("nobody@example.com", ada.password.as_str()),
        ("no address at all", ada.password.as_str()),
        ("", ""),
    ] {
        let reply =
            server.client().post("/auth/login", json!({"email": email, "password": password})).await.problem(401);
        assert!(!reply.header("www-authenticate").is_empty());
        let mut body = reply.json.clone();
        body["instance"] = "".into();
        let mut headers: Vec<_> = reply.headers.keys().map(|name| name.as_str().to_owned()).collect();
        headers.sort_unstable();
        replies.push((body, headers));
    }
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
    server.client().post("/auth/login", json!({"email": ada.email, "password": ada.password})).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authentication_log_tells_what_happened_and_holds_no_personal_data() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let wrong = json!({"email": ada.email, "password": "guess number one"});
    server.client().post("/auth/login", wrong).await.problem(401);
    let refreshed = server.client().post("/auth/refresh", json!({"refresh_token": ada.refresh_token})).await.is(200);
    let grace = server.person("grace").await;

    let log = ada.get("/auth/me/events").await.is(200);
    let types: Vec<_> = log.items().iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["AccountRegistered", "SessionStarted", "LoginFailed", "SessionRefreshed"]);
    for (at, event) in log.items().iter().enumerate() {
        assert_eq!(event["seq"], at + 1);
        // Who failed to be Ada was not Ada, as far as anybody knows.
        let actor = if event["event_type"] == "LoginFailed" { "system:identity" } else { ada.id.as_str() };
        assert_eq!(event["actor"], actor);
        assert_eq!(event["feed_id"], ada.id);
    }
    let secrets = [
        ada.email.as_str(),
        &ada.password,
        ada.email.split('@').next().unwrap(),
        "guess number one",
        "example.com",
        &ada.refresh_token,
        refreshed.json["refresh_token"].as_str().unwrap(),
        "127.0.0.1",
    ];
    for secret in secrets {
        assert!(!log.text.contains(secret), "{secret} in {}", log.text);
    }
    let stored: String = sqlx::query_scalar("SELECT string_agg(payload::text || metadata::text, ' ') FROM events")
        .fetch_one(&world.pool().await)
        .await
        .expect("the log");
    for secret in secrets {
        assert!(!stored.contains(secret), "{secret} in the log");
    }
    let hers = grace.get("/auth/me/events").await.is(200);
    assert!(hers.items().iter().all(|event| event["actor"] == grace.id.as_str()), "each sees their own");
    server.client().get("/auth/me/events").await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_refused_that_is_not_of_the_known_form() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let client = server.client();
    client.post("/auth/login", json!({"email": ada.email})).await.problem(422);
    client.post("/auth/login", json!({"email": ada.email, "password": 12_345_678})).await.problem(422);
    let unknown = json!({"email": ada.email, "password": ada.password, "remember": true});
    client.post("/auth/login", unknown).await.problem(422);
    client.post("/auth/login", json!({"email": "a\u{0}@example.com", "password": "x"})).await.problem(422);
}
