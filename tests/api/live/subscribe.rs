//! Subscribing: from where, to what, and by whom.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{edit, follow, head, is_quiet, places, seqs};
use crate::support::{Socket, World};

#[tokio::test]
async fn without_a_place_only_what_comes_is_sent() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let before = head(&ada, &project).await;
    let mut socket = Socket::open(&ada).await;
    socket.send(json!({"type": "subscribe", "project_id": project})).await;
    assert_eq!(socket.expect("subscribed").await["head"], before);
    assert_eq!(socket.next().await, Ok(json!({"type": "caught_up", "project_id": project, "seq": before})));
    edit(&ada, &project).await;
    let event = socket.event().await;
    let recorded = ada.history(&project).await.pop().expect("an event");
    assert_eq!(event["seq"], before + 1);
    assert_eq!(event["project_id"], project);
    for field in ["seq", "position", "event_id", "event_type", "occurred_at", "actor", "data"] {
        assert_eq!(event[field], recorded[field], "{field}");
    }
}

#[tokio::test]
async fn history_comes_first_from_the_place_on() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    for _ in 0..5 {
        edit(&ada, &project).await;
    }
    let head = head(&ada, &project).await;
    for since in [0, 1, 3, head - 1, head] {
        let mut socket = Socket::open(&ada).await;
        let events = socket.subscribe(&project, since).await;
        assert_eq!(seqs(&events), places(since + 1..=head), "since {since}");
    }
}

#[tokio::test]
async fn a_place_in_another_history_is_reset() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::open(&ada).await;
    let epoch = follow(&mut socket, &project).await["epoch"].clone();
    for foreign in [true, false] {
        let head = head(&ada, &project).await;
        let since = if foreign { json!({"epoch": Uuid::now_v7(), "seq": 1}) } else { json!({"seq": head + 1}) };
        let mut socket = Socket::open(&ada).await;
        socket.send(json!({"type": "subscribe", "project_id": project, "since": since})).await;
        socket.expect("subscribed").await;
        let reset = json!({"type": "reset", "project_id": project, "epoch": epoch, "head": head});
        assert_eq!(socket.next().await, Ok(reset), "{since}");
        assert_eq!(socket.expect("caught_up").await["seq"], head);
        edit(&ada, &project).await;
        assert_eq!(socket.event().await["seq"], head + 1);
    }
    let mut socket = Socket::open(&ada).await;
    let since = json!({"epoch": epoch, "seq": 1});
    socket.send(json!({"type": "subscribe", "project_id": project, "since": since})).await;
    socket.expect("subscribed").await;
    assert_eq!(socket.event().await["seq"], 2, "a place in this history is none to reset");
}

#[tokio::test]
async fn a_project_is_followed_once_until_it_is_left() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::open(&ada).await;
    let error = |code: &str, frame: &Value| {
        assert_eq!((&frame["code"], &frame["project_id"]), (&json!(code), &json!(project)), "{frame}");
    };
    socket.send(json!({"type": "unsubscribe", "project_id": project})).await;
    error("not_subscribed", &socket.expect("error").await);
    follow(&mut socket, &project).await;
    socket.send(json!({"type": "subscribe", "project_id": project})).await;
    error("already_subscribed", &socket.expect("error").await);
    socket.send(json!({"type": "unsubscribe", "project_id": project})).await;
    let left = json!({"type": "unsubscribed", "project_id": project, "reason": "requested"});
    assert_eq!(socket.expect("unsubscribed").await, left);
    let mut witness = Socket::open(&ada).await;
    follow(&mut witness, &project).await;
    edit(&ada, &project).await;
    witness.event().await;
    is_quiet(&mut socket).await;
    assert!(!socket.subscribe(&project, 0).await.is_empty(), "and may be followed again");
}

#[tokio::test]
async fn one_socket_follows_many_projects() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut socket = Socket::open(&ada).await;
    let mut projects = Vec::new();
    for name in ["Apollo", "Gemini", "Mercury"] {
        let project = ada.project(name).await;
        follow(&mut socket, &project).await;
        projects.push((project.clone(), head(&ada, &project).await));
    }
    for _ in 0..4 {
        for (project, _) in &projects {
            edit(&ada, project).await;
        }
    }
    for _ in 0..4 * projects.len() {
        let event = socket.event().await;
        let (_, last) = projects.iter_mut().find(|(id, _)| event["project_id"] == *id).expect("one of ours");
        *last += 1;
        assert_eq!(event["seq"], *last, "{event}");
    }
}

#[tokio::test]
async fn only_members_follow() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let hidden = ada.project("Manhattan").await;
    let public = ada.post("/projects", json!({"name": "Apollo", "is_public": true})).await.is(201).id();
    let mut socket = Socket::open(&bob).await;
    let unknown = Uuid::now_v7().to_string();
    for project in [&hidden, &unknown] {
        socket.send(json!({"type": "subscribe", "project_id": project})).await;
        let refused =
            json!({"type": "error", "code": "not_found", "detail": "there is no such feed", "project_id": project});
        assert_eq!(socket.next().await, Ok(refused), "a hidden project looks like none");
    }
    socket.send(json!({"type": "subscribe", "project_id": public})).await;
    let error = socket.expect("error").await;
    assert_eq!((&error["code"], &error["project_id"]), (&json!("forbidden"), &json!(public)), "visitors read, no more");
    ada.invite(&hidden, &bob, "viewer").await;
    assert!(!socket.subscribe(&hidden, 0).await.is_empty(), "viewers may");
}
