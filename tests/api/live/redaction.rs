//! What was redacted reaches nobody any more, whatever a process had in memory.

use serde_json::json;

use crate::support::{Socket, World};

const CANARY: &str = "canary-7f3a";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_back_is_told_what_is_left() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    // Both processes follow the feed, and have its frames in memory.
    let instances = [ada.clone(), ada.at(&two.address)];
    let mut sockets = Vec::new();
    for person in &instances {
        let mut socket = Socket::open(person).await;
        socket.subscribe(&project, 0).await;
        sockets.push(socket);
    }
    let tasks = format!("/projects/{project}/tasks");
    ada.post(&tasks, json!({"title": format!("Call {CANARY}")})).await.is(201);
    ada.post(&tasks, json!({"title": "Another"})).await.is(201);
    let mut seq = 0;
    for socket in &mut sockets {
        let told = socket.event().await;
        assert!(told["data"]["title"].as_str().is_some_and(|title| title.contains(CANARY)), "{told}");
        seq = told["seq"].as_i64().expect("a place");
        socket.event().await;
    }
    for person in &instances {
        // A page of history is kept for who comes next.
        let events = Socket::open(person).await.subscribe(&project, 0).await;
        assert!(events.iter().any(|event| event.to_string().contains(CANARY)));
    }

    let position = ada.get(&format!("/projects/{project}/events/{seq}")).await.is(200).json["position"].clone();
    let path = format!("/projects/{project}/events/{seq}/redact");
    ada.post(&path, json!({"reason": "A telephone number."})).await.is(201);
    for (person, socket) in instances.iter().zip(&mut sockets) {
        let told = socket.event().await;
        assert_eq!((&told["event_type"], &told["data"]["position"]), (&json!("PayloadRedacted"), &position));
        for since in [0, seq - 1] {
            let events = Socket::open(person).await.subscribe(&project, since).await;
            let left = events.iter().find(|event| event["seq"] == seq).expect("its place is not empty");
            assert_eq!(left["data"]["title"], "[redacted]");
            assert!(!events.iter().any(|event| event.to_string().contains(CANARY)), "behind {since}");
        }
    }

    // The history says so, whoever reads it; and the event is still proven to be in the log.
    let shown = ada.get(&format!("/projects/{project}/events/{seq}")).await.is(200).json;
    assert_eq!((&shown["redacted"], &shown["data"]["title"]), (&json!(true), &json!("[redacted]")));
    let others = ada.history(&project).await;
    let marked: Vec<_> = others.iter().filter(|event| event.get("redacted").is_some()).collect();
    assert_eq!(marked, [&shown]);
    let proof = ada.get(&format!("/projects/{project}/events/{seq}/proof")).await.is(200).json;
    assert_eq!(proof["position"], position);
}
