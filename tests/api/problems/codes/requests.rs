//! Codes of requests that do not read, or do not hold.

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{Met, begin, head, reply};
use crate::support::{Client, Reply, World};

pub const MET: &[&str] = &[
    "body-timeout",
    "empty",
    "end-before-start",
    "forbidden-character",
    "headers-too-large",
    "idempotency-key-reused",
    "invalid",
    "invalid-value",
    "malformed",
    "malformed-cursor",
    "method-not-allowed",
    "missing-field",
    "out-of-range",
    "stale",
    "too-large",
    "too-long",
    "unknown-field",
    "unsupported-media-type",
    "upgrade-required",
    "wrong-type",
];

/// Sends a part of a body, and nothing more.
async fn send_half(client: &Client) -> Reply {
    let request = format!(
        "POST /api/v1/projects HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 20\r\nexpect: 100-continue\r\n\r\n",
        client.token()
    );
    let mut stream = begin(client.address(), &request).await;
    assert_eq!(head(&mut stream).await.0, 100);
    stream.write_all(b"{\"name\":").await.expect("a part of a body");
    reply(&mut stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_does_not_read_or_does_not_hold() {
    let mut met = Met::default();
    let world = World::new().await;
    let hasty = [("WORKROOM_REQUEST_TIMEOUT_SECONDS", "2")];
    let (server, hasty) = tokio::join!(world.server(), world.server_with(&["--roles", "api"], &hasty));
    let ada = server.person("ada").await;
    met.refused(send_half(&ada.at(&hasty.address)).await, "body-timeout");

    met.refused(ada.send(Method::POST, "/projects", Some("{".to_owned())).await, "malformed");
    met.refused(ada.delete("/projects").await, "method-not-allowed");
    met.refused(ada.post("/projects", json!({"name": "x".repeat(2 * 1024 * 1024)})).await, "too-large");
    let text = ada.with_header("content-type", "text/plain");
    met.refused(text.post("/projects", json!({"name": "Apollo"})).await, "unsupported-media-type");
    met.refused(ada.get("/realtime").await, "upgrade-required");
    let long = ada.with_header("x-padding", &"x".repeat(100 * 1024));
    met.refused(long.get("/auth/me").await, "headers-too-large");

    for (pointer, body, code) in [
        ("", json!({}), "missing-field"),
        ("/colour", json!({"name": "Apollo", "colour": "blue"}), "unknown-field"),
        ("/name", json!({"name": 7}), "wrong-type"),
        ("/name", json!({"name": " "}), "empty"),
        ("/name", json!({"name": "x".repeat(201)}), "too-long"),
        ("/name", json!({"name": "a\u{202e}b"}), "forbidden-character"),
        ("/priority", json!({"name": "Apollo", "priority": "whenever"}), "invalid-value"),
        (
            "/end_date",
            json!({"name": "Apollo", "start_date": "1969-07-20", "end_date": "1969-07-16"}),
            "end-before-start",
        ),
    ] {
        met.refused_field(ada.post("/projects", body).await, pointer, code);
    }
    met.refused_field(ada.get("/projects?limit=0").await, "/limit", "out-of-range");
    met.refused_field(ada.get("/projects?cursor=nonsense").await, "/cursor", "malformed-cursor");
    let several = json!({"email": "no address", "password": "short"});
    let several = met.refused(server.client().post("/auth/register", several).await, "invalid");
    assert_eq!(several.json["errors"].as_array().expect("errors").len(), 2, "{}", several.text);

    let keyed = ada.with_header("idempotency-key", "one");
    let apollo = keyed.post("/projects", json!({"name": "Apollo"})).await.is(201).id();
    met.refused(keyed.post("/projects", json!({"name": "Gemini"})).await, "idempotency-key-reused");
    let late = ada.with_header("if-match", "\"7\"");
    met.refused(late.patch(&format!("/projects/{apollo}"), json!({"name": "Artemis"})).await, "stale");
    met.are(MET);
}
