//! Rooms: who is here, where they point, what they say.

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{is_quiet, raw};
use crate::support::{Closed, Person, Socket, World};

/// Opens a socket that is shown in a project, and waits for the room's first picture.
async fn enter(person: &Person, project: &str) -> (Socket, Value) {
    let mut socket = Socket::open(person).await;
    socket.send(json!({"type": "subscribe", "project_id": project, "presence": true, "cursors": true})).await;
    socket.expect("subscribed").await;
    socket.expect("caught_up").await;
    let state = socket.expect("presence.state").await;
    (socket, state)
}

/// The accounts in a picture.
fn users(state: &Value) -> Vec<&str> {
    let mut users: Vec<_> = state["members"]
        .as_array()
        .expect("members")
        .iter()
        .map(|member| member["user_id"].as_str().expect("an account"))
        .collect();
    users.sort_unstable();
    users
}

fn sorted<'a>(people: &[&'a Person]) -> Vec<&'a str> {
    let mut ids: Vec<_> = people.iter().map(|person| person.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_here_is_told_over_all_instances() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob) = (one.person("ada").await, one.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;

    let (mut here, state) = enter(&ada, &project).await;
    assert_eq!(users(&state), sorted(&[&ada]), "oneself, too");
    assert_eq!((&state["members"][0]["connections"], &state["members"][0]["state"]), (&json!(1), &Value::Null));
    let (mut there, state) = enter(&bob.at(&two.address), &project).await;
    assert_eq!(users(&state), sorted(&[&ada, &bob]));
    let joined = here.expect("presence.joined").await;
    assert_eq!((&joined["user_id"], &joined["project_id"]), (&json!(bob.id), &json!(project)));

    // A state: an update, and no leave and join.
    there.send(json!({"type": "presence", "project_id": project, "state": {"file": "main.rs"}})).await;
    let updated = here.expect("presence.updated").await;
    assert_eq!((&updated["user_id"], &updated["state"]), (&json!(bob.id), &json!({"file": "main.rs"})));
    assert_eq!(updated["since"], joined["since"]);
    assert_eq!(there.expect("presence.updated").await["state"], json!({"file": "main.rs"}));

    // A second connection, at the other instance: the same account.
    let (again, state) = enter(&bob, &project).await;
    let of_bob = state["members"].as_array().expect("members").iter().find(|member| member["user_id"] == bob.id);
    let of_bob = of_bob.expect("bob");
    assert_eq!((&of_bob["connections"], &of_bob["state"]), (&json!(2), &json!({"file": "main.rs"})));
    assert_eq!(here.expect("presence.updated").await["connections"], 2);
    drop(again);
    // The account is still here; whether the second connection comes back is not waited for.
    assert_eq!(here.expect("presence.updated").await["connections"], 1);
    // The other instance hears of it a moment later.
    while there.expect("presence.updated").await["connections"] != 1 {}

    // A connection that ends may be back in a moment: nobody is told.
    there.close().await;
    let (mut there, _) = enter(&bob.at(&two.address), &project).await;
    is_quiet(&mut here).await;
    // Who says so has left at once.
    there.send(json!({"type": "unsubscribe", "project_id": project})).await;
    there.expect("unsubscribed").await;
    let left = here.expect("presence.left").await;
    assert_eq!(left, json!({"type": "presence.left", "project_id": project, "user_id": bob.id}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_come_back_has_left() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_LIVE__LEAVE_GRACE_MS", "300")]).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let (mut here, _) = enter(&ada, &project).await;
    let (there, _) = enter(&bob, &project).await;
    here.expect("presence.joined").await;
    let gone = Instant::now();
    drop(there);
    assert_eq!(here.expect("presence.left").await["user_id"], bob.id);
    assert!(gone.elapsed() >= Duration::from_millis(290), "{:?}", gone.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_people_of_a_killed_instance_are_gone_soon() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob) = (one.person("ada").await, one.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let (mut here, _) = enter(&ada, &project).await;
    let (_there, _) = enter(&bob.at(&two.address), &project).await;
    here.expect("presence.joined").await;
    let killed = Instant::now();
    two.kill9().await;
    assert_eq!(here.expect("presence.left").await["user_id"], bob.id);
    assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_people_of_an_instance_that_stops_are_gone_at_once() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob) = (one.person("ada").await, one.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let (mut here, _) = enter(&ada, &project).await;
    let (_there, _) = enter(&bob.at(&two.address), &project).await;
    here.expect("presence.joined").await;
    let stopped = Instant::now();
    assert!(two.stop().await);
    assert_eq!(here.expect("presence.left").await["user_id"], bob.id);
    assert!(stopped.elapsed() < Duration::from_secs(8), "{:?}", stopped.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_answer_is_not_here() {
    let world = World::new().await;
    let settings = [("WORKROOM_LIVE__PING_MS", "2000"), ("WORKROOM_LIVE__ABSENT_MS", "300")];
    let server = world.server_with(&[], &settings).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let (mut here, _) = enter(&ada, &project).await;
    let (mut asleep, _) = raw::open(&bob, &[], None).await;
    let subscribe = json!({"type": "subscribe", "project_id": project, "presence": true}).to_string();
    asleep.send(Message::text(subscribe)).await.expect("an open socket");
    here.expect("presence.joined").await;
    let state = json!({"type": "presence", "project_id": project, "state": {"busy": true}}).to_string();
    asleep.send(Message::text(state)).await.expect("an open socket");
    here.expect("presence.updated").await;
    // It reads nothing, and so answers no ping; then it wakes up, and shows what it showed.
    assert_eq!(here.expect("presence.left").await["user_id"], bob.id);
    let woken = tokio::spawn(async move { while let Some(Ok(_)) = asleep.next().await {} });
    assert_eq!(here.expect("presence.joined").await["user_id"], bob.id);
    assert_eq!(here.expect("presence.updated").await["state"], json!({"busy": true}));
    woken.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_are_bounded_and_the_last_place_is_always_told() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob) = (one.person("ada").await, one.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let (mut here, _) = enter(&ada, &project).await;
    let (mut there, _) = enter(&bob.at(&two.address), &project).await;
    here.expect("presence.joined").await;

    let began = Instant::now();
    let mut moves = tokio::time::interval(Duration::from_millis(5));
    for x in 0..=600 {
        moves.tick().await;
        there.send(json!({"type": "cursor", "project_id": project, "x": x, "y": 0.5, "color": "#f00"})).await;
    }
    let mut frames = 0;
    loop {
        let cursor = here.expect("cursor").await;
        frames += 1;
        assert_eq!((&cursor["user_id"], &cursor["color"]), (&json!(bob.id), &json!("#f00")));
        assert!(cursor["connection_id"].is_string());
        if cursor["x"].as_f64() == Some(600.0) {
            break;
        }
    }
    let most = 22.0 + 20.0 * began.elapsed().as_secs_f64();
    assert!(f64::from(frames) <= most, "{frames} frames in {:?}", began.elapsed());
    assert!(frames > 10, "{frames}");
    is_quiet(&mut there).await;

    // Who comes later sees where others are; a cursor ends with its connection.
    let (mut later, _) = enter(&ada.at(&two.address), &project).await;
    assert_eq!(later.expect("cursor").await["x"], 600);
    let connection = json!({"type": "unsubscribe", "project_id": project});
    there.send(connection).await;
    here.expect("presence.updated").await;
    let gone = loop {
        let frame = here.next().await.expect("an open socket");
        if frame["type"] == "cursor" {
            break frame;
        }
    };
    assert_eq!(gone.get("x"), None, "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_rests_is_seen_by_who_comes_to_another_instance() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    let (mut here, _) = enter(&ada, &project).await;
    here.send(json!({"type": "cursor", "project_id": project, "line": 3, "column": 7, "id": 1})).await;
    is_quiet(&mut here).await;
    // Nobody of the other instance was there to be told.
    let (mut there, _) = enter(&ada.at(&two.address), &project).await;
    let cursor = there.expect("cursor").await;
    assert_eq!((&cursor["line"], &cursor["column"]), (&json!(3), &json!(7)));
    // With its connection it is gone, and who comes later does not see it.
    drop(here);
    let mut frames = [there.next().await.expect("an open socket"), there.next().await.expect("an open socket")];
    frames.sort_by_key(|frame| frame["type"].as_str().expect("a type").to_owned());
    let [gone, updated] = frames;
    assert_eq!((&gone["type"], gone.get("line")), (&json!("cursor"), None), "{gone}");
    assert_eq!(updated["connections"], 1, "{updated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_second_subscription_wants_of_the_past_is_not_left_out_silently() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let workspace = ada.post(&format!("/projects/{project}/workspaces"), json!({"name": "Lab"})).await.is(201).id();
    let mut socket = Socket::open(&ada).await;
    let head = super::follow(&mut socket, &project).await["head"].as_i64().expect("a place");
    let room =
        |since: Value| json!({"type": "subscribe", "project_id": project, "workspace_id": workspace, "since": since});
    socket.send(room(json!({"seq": 0}))).await;
    assert_eq!(socket.expect("error").await["code"], "already_subscribed");
    socket.send(room(json!({"seq": 0, "epoch": uuid::Uuid::now_v7()}))).await;
    socket.expect("subscribed").await;
    assert_eq!(socket.expect("reset").await["head"], head);
    socket.expect("caught_up").await;
    // To leave one of them takes nothing from the other.
    socket.send(json!({"type": "unsubscribe", "project_id": project})).await;
    socket.expect("unsubscribed").await;
    super::edit(&ada, &project).await;
    assert_eq!(socket.event().await["seq"], head + 1);
    socket.send(json!({"type": "unsubscribe", "project_id": project, "workspace_id": workspace})).await;
    socket.expect("unsubscribed").await;
    super::edit(&ada, &project).await;
    is_quiet(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_reach_everybody_but_their_sender() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob) = (one.person("ada").await, one.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let mut sockets = Vec::new();
    for person in [&ada, &bob, &bob.at(&two.address)] {
        let mut socket = Socket::open(person).await;
        super::follow(&mut socket, &project).await;
        sockets.push(socket);
    }
    let publish = json!({"type": "publish", "project_id": project, "name": "saved", "data": {"n": 1.50}, "id": 7});
    sockets[0].send(publish.clone()).await;
    for socket in &mut sockets[1..] {
        let message = socket.expect("message").await;
        assert_eq!((&message["name"], &message["from"]), (&json!("saved"), &json!(ada.id)));
        assert_eq!((&message["data"], &message["project_id"]), (&json!({"n": 1.5}), &json!(project)));
    }
    is_quiet(&mut sockets[0]).await;
    // By request: everybody.
    let request = json!({"name": "built", "data": null});
    let path = format!("/projects/{project}/realtime");
    let said = ada.at(&two.address).post(&path, request.clone()).await.is(202).json;
    let sent = json!({
        "project_id": project, "workspace_id": null, "file_id": null, "name": "built", "from": ada.id, "data": null,
    });
    assert_eq!(said, sent);
    for socket in &mut sockets {
        assert_eq!(socket.expect("message").await["name"], "built");
    }
    // Viewers listen.
    sockets[1].send(publish).await;
    let refused = sockets[1].expect("error").await;
    assert_eq!((&refused["code"], &refused["ref"]), (&json!("forbidden"), &json!(7)));
    bob.post(&path, request.clone()).await.refused("forbidden");
    one.person("eve").await.post(&path, request).await.refused("not-found");
    for (body, pointer, code) in [
        (json!({"name": "", "data": 1}), "/name", "empty"),
        (json!({"name": "a".repeat(65), "data": 1}), "/name", "too-long"),
        (json!({"name": "a\n", "data": 1}), "/name", "forbidden-character"),
        (json!({"name": "a", "data": "x".repeat(16 * 1024)}), "/data", "too-long"),
    ] {
        ada.post(&path, body).await.refused_field(pointer, code);
    }
    let large = json!({"type": "publish", "project_id": project, "name": "a", "data": "x".repeat(16 * 1024), "id": 8});
    sockets[0].send(large).await;
    let refused = sockets[0].expect("error").await;
    assert_eq!((&refused["code"], &refused["ref"]), (&json!("too_large"), &json!(8)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_is_a_room_of_its_own_and_ends_with_it() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let workspace = ada.post(&format!("/projects/{project}/workspaces"), json!({"name": "Lab"})).await.is(201).id();
    let other = eve.project("Other").await;

    let mut inside = Socket::open(&ada).await;
    super::follow(&mut inside, &project).await;
    let subscribe =
        json!({"type": "subscribe", "project_id": project, "workspace_id": workspace, "presence": true, "id": 1});
    inside.send(subscribe.clone()).await;
    let subscribed = inside.expect("subscribed").await;
    assert_eq!((&subscribed["workspace_id"], &subscribed["ref"]), (&json!(workspace), &json!(1)));
    inside.expect("caught_up").await;
    assert_eq!(inside.expect("presence.state").await["workspace_id"], workspace);
    let mut outside = Socket::open(&ada).await;
    super::follow(&mut outside, &project).await;

    // What is said in the room stays in the room.
    let path = format!("/projects/{project}/realtime");
    ada.post(&path, json!({"name": "hi", "data": 1, "workspace_id": workspace})).await.is(202);
    assert_eq!(inside.expect("message").await["workspace_id"], workspace);
    is_quiet(&mut outside).await;
    outside.send(json!({"type": "cursor", "project_id": project, "workspace_id": workspace, "x": 1, "id": 2})).await;
    let refused = outside.expect("error").await;
    assert_eq!((&refused["code"], &refused["ref"]), (&json!("not_subscribed"), &json!(2)));

    // A room of another project, or of none, is no room.
    for (project, workspace) in [(&other, &workspace), (&project, &project)] {
        let mut socket = Socket::open(if *project == other { &eve } else { &ada }).await;
        socket.send(json!({"type": "subscribe", "project_id": project, "workspace_id": workspace})).await;
        assert_eq!(socket.expect("error").await["code"], "not_found");
    }
    ada.post(&path, json!({"name": "hi", "data": 1, "workspace_id": project})).await.problem(404);

    // Events come once, however often the project was subscribed to.
    super::edit(&ada, &project).await;
    inside.event().await;
    is_quiet(&mut inside).await;
    ada.delete(&format!("/projects/{project}/workspaces/{workspace}")).await.is(204);
    assert_eq!(inside.event().await["event_type"], "WorkspaceDeleted");
    let ended = json!({
        "type": "unsubscribed", "project_id": project, "workspace_id": workspace, "reason": "workspace_deleted",
    });
    assert_eq!(inside.expect("unsubscribed").await, ended);
    super::edit(&ada, &project).await;
    inside.event().await;
    inside.send(subscribe).await;
    assert_eq!(inside.expect("error").await["code"], "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_the_right_is_seen_no_more_and_sees_no_more() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let (mut here, _) = enter(&ada, &project).await;
    let (mut there, _) = enter(&bob, &project).await;
    here.expect("presence.joined").await;
    ada.delete(&format!("/projects/{project}/members/{}", bob.id)).await.is(204);
    assert_eq!(there.until_closed().await.1, Closed(4403));
    let mut types = Vec::new();
    while !types.contains(&"presence.left".to_owned()) {
        types.push(here.next().await.expect("an open socket")["type"].as_str().expect("a type").to_owned());
    }
    assert!(types.iter().all(|one| ["event", "presence.left"].contains(&one.as_str())), "{types:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_decides_what_may_be_said_as_soon_as_it_changes() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "viewer").await;
    let mut socket = Socket::open(&bob).await;
    super::follow(&mut socket, &project).await;
    let publish = json!({"type": "publish", "project_id": project, "name": "a", "data": 1});
    for (role, may) in [("collaborator", true), ("viewer", false)] {
        ada.patch(&format!("/projects/{project}/members/{}", bob.id), json!({"role": role})).await.is(200);
        let mut changed = false;
        while !changed {
            let frame = socket.next().await.expect("an open socket");
            changed = frame["type"] == "role";
            assert!(changed || frame["type"] == "event", "{frame}");
        }
        socket.send(publish.clone()).await;
        if !may {
            while socket.next().await.expect("an open socket")["code"] != "forbidden" {}
        }
    }
}
