//! The AsyncAPI document. (Every frame that any test is sent is held against it, too.)

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Socket, World, is_message_described};

/// Collects every `$ref`.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_served_and_leads_everywhere() {
    let world = World::new().await;
    let server = world.server().await;
    let document = server.client().get("/asyncapi.json").await.is(200).json;
    assert_eq!(document["asyncapi"], "3.0.0");
    assert!(document["info"]["version"].as_str().is_some_and(|version| !version.is_empty()));
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    // Nothing is described that no message carries.
    let text = document.to_string();
    for schema in document["components"]["schemas"].as_object().expect("schemas").keys() {
        assert!(text.contains(&format!("#/components/schemas/{schema}\"")), "{schema} is used by nobody");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_understood_as_the_document_says() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let id = Uuid::now_v7();
    let in_file = |mut message: Value| {
        for (name, id) in [("project_id", json!(project)), ("workspace_id", json!(id)), ("file_id", json!(id))] {
            message[name] = id;
        }
        message
    };
    let cases = [
        ("HelloMessage", json!({"type": "hello"}), true),
        ("SubscribeMessage", json!({"type": "subscribe", "project_id": project, "since": {"seq": 0}, "id": 1}), true),
        ("PresenceMessage", json!({"type": "presence", "project_id": project, "state": null}), true),
        ("ClientCursorMessage", json!({"type": "cursor", "project_id": project, "x": 1.5, "selection": [1]}), true),
        ("PublishMessage", json!({"type": "publish", "project_id": project, "name": "a", "data": [null]}), true),
        ("PingMessage", json!({"type": "ping", "id": "a"}), true),
        ("SubscribeMessage", in_file(json!({"type": "subscribe"})), true),
        ("PresenceMessage", in_file(json!({"type": "presence", "state": 1})), true),
        ("ClientCursorMessage", in_file(json!({"type": "cursor", "document": true})), true),
        ("ClientCursorMessage", json!({"type": "cursor", "project_id": project, "file_id": id}), true),
        ("ClientCursorMessage", json!({"type": "cursor", "project_id": project, "document": false}), true),
        ("PublishMessage", in_file(json!({"type": "publish", "name": "a", "data": 1})), true),
        ("UnsubscribeMessage", in_file(json!({"type": "unsubscribe"})), true),
        ("SubscribeMessage", json!({"type": "subscribe", "project_id": project, "file_id": id}), false),
        ("SubscribeMessage", json!({"type": "subscribe", "account": true, "workspace_id": id, "file_id": id}), false),
        ("UnsubscribeMessage", json!({"type": "unsubscribe", "organization_id": id, "workspace_id": id}), false),
        ("PresenceMessage", json!({"type": "presence", "project_id": project, "file_id": id, "state": 1}), false),
        ("ClientCursorMessage", json!({"type": "cursor", "project_id": project, "document": true}), false),
        (
            "PublishMessage",
            json!({"type": "publish", "project_id": project, "file_id": id, "name": "a", "data": 1}),
            false,
        ),
        ("UnsubscribeMessage", json!({"type": "unsubscribe", "project_id": project}), true),
        ("SubscribeMessage", json!({"type": "subscribe"}), false),
        ("SubscribeMessage", json!({"type": "subscribe", "project_id": project, "account": true}), false),
        ("SubscribeMessage", json!({"type": "subscribe", "project_id": project, "since": {}}), false),
        ("SubscribeMessage", json!({"type": "subscribe", "project_id": project, "since": {"seq": -1}}), false),
        ("PresenceMessage", json!({"type": "presence", "project_id": project}), false),
        ("ClientCursorMessage", json!({"type": "cursor", "project_id": project, "line": -1}), false),
        ("ClientCursorMessage", json!({"type": "cursor", "project_id": project, "color": "x".repeat(33)}), false),
        ("ClientCursorMessage", json!({"type": "cursor", "project_id": project, "z": 1}), false),
        ("PublishMessage", json!({"type": "publish", "project_id": project, "name": "", "data": 1}), false),
        ("PublishMessage", json!({"type": "publish", "project_id": id, "name": "a"}), false),
        ("RefreshMessage", json!({"type": "refresh"}), false),
        ("PingMessage", json!({"type": "ping", "now": true}), false),
    ];
    let mut socket = Socket::open(&ada).await;
    for (schema, message, is_understood) in cases {
        assert_eq!(is_message_described(schema, &message), is_understood, "{message}");
        socket.send(message.clone()).await;
        socket.send(json!({"type": "ping", "id": "then"})).await;
        let mut refusals = 0;
        loop {
            let frame = socket.next().await.expect("an open socket");
            if frame["ref"] == "then" {
                break;
            }
            refusals += usize::from(frame["code"] == "bad_request");
        }
        assert_eq!(refusals, usize::from(!is_understood), "{message}");
    }
}
