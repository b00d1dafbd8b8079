//! `PATCH` and `PUT /auth/me`

use serde_json::{Value, json};

use crate::support::{World, published};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_given_parts_change_and_the_log_says_which() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let before = ada.get("/auth/me").await.is(200);
    let picture = "https://img.example.com/ada.png";
    let patched = ada.patch("/auth/me", json!({"full_name": "Ada King", "image_url": picture})).await.is(200);
    assert_eq!(patched.json["full_name"], "Ada King");
    assert_eq!(patched.json["username"], before.json["username"]);
    assert_ne!(patched.header("etag"), before.header("etag"));
    assert_eq!(ada.get("/auth/me").await.is(200).json, patched.json);
    let cleared = ada.put("/auth/me", json!({"full_name": null, "username": "countess"})).await.is(200);
    assert_eq!((&cleared.json["full_name"], &cleared.json["image_url"]), (&Value::Null, &json!(picture)));
    assert_eq!(cleared.json["username"], "countess");
    let unchanged = ada.patch("/auth/me", json!({"username": "countess"})).await.is(200);
    assert_eq!(unchanged.header("etag"), cleared.header("etag"));
    let log = ada.get("/auth/me/events?type=ProfileChanged").await.is(200);
    let fields: Vec<_> = log.items().iter().map(|event| event["data"]["fields"].clone()).collect();
    assert_eq!(fields, [json!(["full_name", "image_url"]), json!(["username", "full_name"])]);
    // Names are looked up when it is read; none is in an event.
    let stored: Vec<_> = log.items().iter().map(published).collect();
    assert!(!json!(stored).to_string().contains("Ada King") && !json!(stored).to_string().contains("countess"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_meant_for_another_version_is_not_made() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let etag = ada.get("/auth/me").await.is(200).header("etag").to_owned();
    ada.with_header("if-match", &etag).patch("/auth/me", json!({"full_name": "A"})).await.is(200);
    ada.with_header("if-match", &etag).patch("/auth/me", json!({"full_name": "B"})).await.problem(412);
    let changes = (0..20).map(|n| {
        let ada = ada.clone();
        async move { ada.patch("/auth/me", json!({"full_name": format!("Name {n}")})).await.status }
    });
    assert!(futures::future::join_all(changes).await.iter().all(|status| *status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_name_is_refused_by_name() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    for (body, pointer) in [
        (json!({"full_name": "x".repeat(10_000)}), "/full_name"),
        (json!({"full_name": "Ada\u{202e}ecalevoL"}), "/full_name"),
        (json!({"full_name": "Ada\r\nBcc: all"}), "/full_name"),
        (json!({"full_name": ""}), "/full_name"),
        (json!({"username": "a"}), "/username"),
        (json!({"username": "ada lovelace"}), "/username"),
        (json!({"username": "x".repeat(10_000)}), "/username"),
        (json!({"image_url": "javascript:alert(1)"}), "/image_url"),
        (json!({"image_url": "data:text/html,x"}), "/image_url"),
        (json!({"image_url": "/relative.png"}), "/image_url"),
        (json!({"image_url": format!("https://e.example/{}", "x".repeat(3000))}), "/image_url"),
    ] {
        let reply = ada.patch("/auth/me", body.clone()).await.problem(422);
        assert_eq!(reply.json["errors"][0]["pointer"], pointer, "{body}");
    }
    ada.patch("/auth/me", json!({"full_name": "a\u{0}b"})).await.problem(422);
    ada.patch("/auth/me", json!({"email": "new@example.com"})).await.problem(422);
    let taken = grace.get("/auth/me").await.is(200).json["username"].clone();
    ada.patch("/auth/me", json!({"username": taken})).await.problem(409);
    let upper = taken.as_str().expect("a name").to_uppercase();
    assert!(matches!(ada.patch("/auth/me", json!({"username": upper})).await.status, 409 | 422));
}
