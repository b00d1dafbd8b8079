//! Losing the right to watch, and getting it back.

use serde_json::{Value, json};

use super::{edit, follow, head, is_quiet, places, seqs};
use crate::support::{Closed, Person, Socket, World};

/// The place of the latest removal.
async fn removal(person: &Person, project: &str) -> i64 {
    let history = person.history(project).await;
    let removed = history.iter().rfind(|event| event["event_type"] == "MemberRemoved").expect("a removal");
    removed["seq"].as_i64().expect("a seq")
}

/// Takes Bob off while somebody writes; returns what his socket got up to and with its `unsubscribed`.
async fn remove_amid_changes(ada: &Person, bob: &Person, project: &str, socket: &mut Socket) -> Vec<Value> {
    let writer = {
        let (ada, project) = (ada.clone(), project.to_owned());
        tokio::spawn(async move {
            for _ in 0..10 {
                edit(&ada, &project).await;
            }
        })
    };
    // The changes are under way.
    let mut frames = vec![socket.event().await];
    ada.delete(&format!("/projects/{project}/members/{}", bob.id)).await.is(204);
    while frames.last().is_none_or(|frame| frame["type"] != "unsubscribed") {
        frames.push(socket.next().await.expect("an open socket"));
    }
    writer.await.expect("all written");
    frames
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_member_sees_nothing_of_what_follows() {
    let world = World::new().await;
    let servers = [world.server().await, world.server().await];
    let (ada, bob) = (servers[0].person("ada").await, servers[0].person("bob").await);
    let (project, other) = (ada.project("Apollo").await, bob.project("Gemini").await);
    for round in 0..6 {
        ada.invite(&project, &bob, "collaborator").await;
        let has_another = round % 3 == 0;
        let mut socket = Socket::open(&bob.at(&servers[round % 2].address)).await;
        // Added again, he is owed the whole history, his own removals and all.
        let now = head(&ada, &project).await;
        assert_eq!(seqs(&socket.subscribe(&project, 0).await), places(1..=now), "round {round}");
        if has_another {
            follow(&mut socket, &other).await;
        }

        let frames = remove_amid_changes(&ada, &bob, &project, &mut socket).await;
        let removal = removal(&ada, &project).await;
        let (unsubscribed, seen) = frames.split_last().expect("frames");
        let revoked = json!({"type": "unsubscribed", "project_id": project, "reason": "access_revoked"});
        assert_eq!(unsubscribed, &revoked, "round {round}");
        for frame in seen.iter().filter(|frame| frame["type"] == "event") {
            assert!(frame["seq"].as_i64() < Some(removal), "round {round}, removed by {removal}: {frame}");
        }

        if !has_another {
            assert_eq!(socket.until_closed().await, (vec![], Closed(4403)), "that was the last subscription");
            continue;
        }
        socket.send(json!({"type": "subscribe", "project_id": project})).await;
        assert_eq!(socket.expect("error").await["code"], "not_found");
        edit(&bob, &other).await;
        assert_eq!(socket.event().await["project_id"], other, "the other subscription lives on");
    }
}

#[tokio::test]
async fn a_lesser_role_still_watches() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "collaborator").await;
    let mut socket = Socket::open(&bob).await;
    follow(&mut socket, &project).await;
    ada.patch(&format!("/projects/{project}/members/{}", bob.id), json!({"role": "viewer"})).await.is(200);
    let mut frames = Vec::new();
    while frames.len() < 2 {
        frames.push(socket.next().await.expect("an open socket"));
    }
    // Events in their order; the role as soon as it is known.
    frames.sort_by_key(|frame| frame["type"].to_string());
    assert_eq!(frames[0]["event_type"], "MemberRoleChanged");
    assert_eq!(frames[1], json!({"type": "role", "project_id": project, "role": "viewer"}));
    edit(&ada, &project).await;
    assert_eq!(socket.event().await["event_type"], "ProjectUpdated");
}

#[tokio::test]
async fn a_deleted_project_ends_with_its_deletion() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::open(&ada.at(&two.address)).await;
    follow(&mut socket, &project).await;
    ada.delete(&format!("/projects/{project}")).await.is(204);
    assert_eq!(socket.event().await["event_type"], "ProjectDeleted");
    let deleted = json!({"type": "unsubscribed", "project_id": project, "reason": "project_deleted"});
    assert_eq!(socket.expect("unsubscribed").await, deleted);
    is_quiet(&mut socket).await;
    socket.send(json!({"type": "subscribe", "project_id": project, "since": {"seq": 0}})).await;
    assert_eq!(socket.expect("error").await["code"], "not_found");
}
