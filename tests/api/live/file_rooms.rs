//! Rooms of files: who is in a document, where they point there, what they say.

use serde_json::{Value, json};
use uuid::Uuid;

use super::is_quiet;
use crate::support::{Closed, Person, Socket, World};

/// A workspace with two files, and the ids that name their rooms.
struct Lab {
    project: String,
    /// The path of the workspace.
    path: String,
    room: Value,
    file: Value,
    other: Value,
}

impl Lab {
    /// A new one, in a new project.
    async fn of(owner: &Person) -> Self {
        let project = owner.project("Apollo").await;
        let workspaces = format!("/projects/{project}/workspaces");
        let workspace = owner.post(&workspaces, json!({"name": "Lab"})).await.is(201).id();
        let path = format!("{workspaces}/{workspace}");
        let room = json!({"project_id": project, "workspace_id": workspace});
        let mut files = Vec::new();
        for name in ["main.py", "orbit.py"] {
            let id = owner.post(&format!("{path}/files"), json!({"path": name})).await.is(201).id();
            files.push(with(&room, json!({"file_id": id})));
        }
        let [file, other]: [Value; 2] = files.try_into().expect("two files");
        Self { project, path, room, file, other }
    }
}

/// An object, and what else is in it.
fn with(object: &Value, more: Value) -> Value {
    let mut object = object.clone();
    let (Value::Object(fields), Value::Object(more)) = (&mut object, more) else { panic!("not two objects") };
    fields.extend(more);
    object
}

/// The ids that say which room a frame is of.
fn ids(frame: &Value) -> Value {
    let fields = frame.as_object().expect("an object").iter();
    let ids = fields.filter(|(name, _)| ["project_id", "workspace_id", "file_id"].contains(&name.as_str()));
    ids.map(|(name, id)| (name.clone(), id.clone())).collect()
}

async fn join(socket: &mut Socket, room: &Value, wanted: Value) {
    socket.send(with(&with(room, json!({"type": "subscribe"})), wanted)).await;
    assert_eq!(ids(&socket.expect("subscribed").await), *room);
    socket.expect("caught_up").await;
}

/// Opens a socket that has subscribed to a room, and to nothing else.
async fn enter(person: &Person, room: &Value, wanted: Value) -> Socket {
    let mut socket = Socket::open(person).await;
    join(&mut socket, room, wanted).await;
    socket
}

/// How many accounts the first picture of a room shows.
async fn count(socket: &mut Socket, room: &Value) -> usize {
    let state = socket.expect("presence.state").await;
    assert_eq!(ids(&state), *room);
    state["members"].as_array().expect("members").len()
}

/// Says a message, and returns the refusal: its code, and the ids that it names.
async fn refused(socket: &mut Socket, message: &Value) -> (Value, Value) {
    socket.send(with(message, json!({"id": "this"}))).await;
    let error = socket.expect("error").await;
    assert_eq!(error["ref"], "this", "{error}");
    (error["code"].clone(), ids(&error))
}

/// A message by request, to a room.
fn request(room: &Value) -> Value {
    json!({"name": "built", "data": null, "workspace_id": room["workspace_id"], "file_id": room["file_id"]})
}

/// Insists on a cursor in a file, at this line or gone, in its own room or in that of the workspace.
#[track_caller]
fn is_cursor(seen: &Value, file: &Value, line: Option<u64>, document: Option<bool>) {
    assert_eq!(ids(seen), *file, "{seen}");
    let told = (seen.get("line").and_then(Value::as_u64), seen.get("document").and_then(Value::as_bool));
    assert_eq!(told, (line, document), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_has_a_room_of_its_own_over_all_instances() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let (ada, bob) = (one.person("ada").await, one.person("bob").await);
    let Lab { project, room, file, other, .. } = Lab::of(&ada).await;
    ada.invite(&project, &bob, "viewer").await;
    let wanted = json!({"presence": true, "cursors": true});

    // Others are in the room of the workspace, and in that of another file of it.
    let mut around = enter(&ada, &room, wanted.clone()).await;
    assert_eq!(count(&mut around, &room).await, 1);
    let mut beside = enter(&ada, &other, wanted.clone()).await;
    assert_eq!(count(&mut beside, &other).await, 1);
    let mut here = enter(&ada, &file, wanted.clone()).await;
    assert_eq!(count(&mut here, &file).await, 1);
    let mut there = enter(&bob.at(&two.address), &file, wanted).await;
    match count(&mut there, &file).await {
        2 => {}
        // The other instance has taken its time to answer.
        seen => assert_eq!((seen, &there.expect("presence.joined").await["user_id"]), (1, &json!(ada.id))),
    }
    let joined = here.expect("presence.joined").await;
    assert_eq!((ids(&joined), &joined["user_id"]), (file.clone(), &json!(bob.id)));

    there.send(with(&file, json!({"type": "presence", "state": {"mode": "reading"}}))).await;
    for socket in [&mut here, &mut there] {
        let updated = socket.expect("presence.updated").await;
        assert_eq!((ids(&updated), &updated["state"]), (file.clone(), &json!({"mode": "reading"})));
    }
    there.send(with(&file, json!({"type": "cursor", "line": 3, "column": 7}))).await;
    let cursor = here.expect("cursor").await;
    assert_eq!((ids(&cursor), &cursor["document"]), (file.clone(), &json!(true)));
    assert_eq!((&cursor["user_id"], &cursor["line"], &cursor["column"]), (&json!(bob.id), &json!(3), &json!(7)));

    let publish = with(&file, json!({"type": "publish", "name": "saved", "data": 1}));
    here.send(publish.clone()).await;
    let message = there.expect("message").await;
    assert_eq!((ids(&message), &message["from"]), (file.clone(), &json!(ada.id)));
    assert_eq!(refused(&mut there, &publish).await, (json!("forbidden"), file.clone()), "viewers listen");

    // By request: everybody in the room, wherever they are connected.
    let (path, to_two) = (format!("/projects/{project}/realtime"), ada.at(&two.address));
    let said = to_two.post(&path, request(&file)).await.is(202).json;
    assert_eq!(said, with(&file, json!({"name": "built", "from": ada.id, "data": null})));
    for socket in [&mut here, &mut there] {
        let message = socket.expect("message").await;
        assert_eq!((ids(&message), &message["name"]), (file.clone(), &json!("built")));
    }
    // Nobody of that instance is in this one.
    to_two.post(&path, request(&other)).await.is(202);
    assert_eq!(ids(&beside.expect("message").await), other);
    bob.post(&path, request(&file)).await.refused("forbidden");
    for socket in [&mut around, &mut beside, &mut here, &mut there] {
        is_quiet(socket).await;
    }

    // Who loses the right is seen no more, and sees no more.
    ada.delete(&format!("/projects/{project}/members/{}", bob.id)).await.is(204);
    let (frames, closed) = there.until_closed().await;
    assert_eq!(closed, Closed(4403));
    let ended = with(&file, json!({"type": "unsubscribed", "reason": "access_revoked"}));
    assert!(frames.contains(&ended), "{frames:?}");
    let (mut has_left, mut points) = (false, true);
    while !has_left || points {
        let frame = here.next().await.expect("an open socket");
        has_left |= frame["type"] == "presence.left" && ids(&frame) == file;
        points &= frame["type"] != "cursor" || ids(&frame) != file || frame.get("line").is_some();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_in_a_file_is_shown_in_the_files_own_room_or_in_that_of_the_workspace() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let Lab { room, file, other, .. } = Lab::of(&ada).await;
    let wanted = json!({"cursors": true});
    let mut around = enter(&ada, &room, wanted.clone()).await;
    let mut inside = enter(&ada, &file, wanted.clone()).await;
    let mut both = enter(&ada, &room, wanted.clone()).await;
    join(&mut both, &file, wanted).await;
    let cursor = |line: u32| with(&file, json!({"type": "cursor", "line": line}));
    let said = |line: u32, document: bool| with(&cursor(line), json!({"document": document}));

    // Of somebody who is not in the file's own room: it says which file the cursor is in.
    around.send(cursor(1)).await;
    is_cursor(&both.expect("cursor").await, &file, Some(1), None);
    // Of somebody who is in both: in the file's own, if nothing else is said.
    both.send(cursor(2)).await;
    is_cursor(&inside.expect("cursor").await, &file, Some(2), Some(true));
    both.send(said(3, false)).await;
    is_cursor(&around.expect("cursor").await, &file, Some(3), None);
    inside.send(said(4, true)).await;
    is_cursor(&both.expect("cursor").await, &file, Some(4), Some(true));
    // A room that was not subscribed to is not replaced by another.
    let not_subscribed = json!("not_subscribed");
    assert_eq!(refused(&mut around, &said(5, true)).await, (not_subscribed.clone(), file.clone()));
    assert_eq!(refused(&mut inside, &said(5, false)).await, (not_subscribed.clone(), room.clone()));
    for message in [json!({"type": "presence", "state": 1}), json!({"type": "publish", "name": "a", "data": 1})] {
        assert_eq!(refused(&mut around, &with(&file, message)).await, (not_subscribed.clone(), file.clone()));
    }
    let elsewhere = with(&other, json!({"type": "cursor", "line": 5}));
    assert_eq!(refused(&mut inside, &elsewhere).await, (not_subscribed, room.clone()));
    // Who leaves the file's own room points into the file as before.
    both.send(with(&file, json!({"type": "unsubscribe"}))).await;
    both.expect("unsubscribed").await;
    is_cursor(&inside.expect("cursor").await, &file, None, Some(true));
    both.send(cursor(6)).await;
    is_cursor(&around.expect("cursor").await, &file, Some(6), None);
    for socket in [&mut around, &mut inside, &mut both] {
        is_quiet(socket).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_room_of_a_file_is_there_as_long_as_the_file_and_its_workspace() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let Lab { project, path, room, file, other } = Lab::of(&ada).await;
    let hidden = Lab::of(&eve).await.file;
    let second = ada.post(&format!("/projects/{project}/workspaces"), json!({"name": "Shed"})).await.is(201).id();
    let subscribe = |room: &Value| with(room, json!({"type": "subscribe", "presence": true}));
    let realtime = format!("/projects/{project}/realtime");

    let mut socket = Socket::open(&ada).await;
    for wrong in [
        with(&file, json!({"workspace_id": second})),
        with(&file, json!({"file_id": Uuid::now_v7()})),
        with(&file, json!({"file_id": hidden["file_id"]})),
        with(&hidden, json!({"project_id": project})),
    ] {
        assert_eq!(refused(&mut socket, &subscribe(&wrong)).await, (json!("not_found"), wrong.clone()));
        ada.post(&realtime, request(&wrong)).await.refused("not-found");
    }
    assert_eq!(refused(&mut socket, &subscribe(&hidden)).await, (json!("not_found"), hidden));
    let without_workspace = json!({"name": "built", "data": null, "file_id": file["file_id"]});
    ada.post(&realtime, without_workspace).await.refused_field("/workspace_id", "missing-field");

    for one in [&file, &other, &room] {
        join(&mut socket, one, json!({})).await;
    }
    let file_id = file["file_id"].as_str().expect("an id");
    ada.delete(&format!("{path}/files/{file_id}")).await.is(204);
    // Events come once, however many rooms of the project were subscribed to.
    assert_eq!(socket.event().await["event_type"], "FileDeleted");
    let ended = |room: &Value, reason: &str| with(room, json!({"type": "unsubscribed", "reason": reason}));
    assert_eq!(socket.expect("unsubscribed").await, ended(&file, "file_deleted"));
    is_quiet(&mut socket).await;
    assert_eq!(refused(&mut socket, &subscribe(&file)).await, (json!("not_found"), file.clone()));
    ada.post(&realtime, request(&file)).await.refused("not-found");

    ada.delete(&path).await.is(204);
    assert_eq!(socket.event().await["event_type"], "WorkspaceDeleted");
    let mut frames = [socket.expect("unsubscribed").await, socket.expect("unsubscribed").await];
    frames.sort_by_key(|frame| frame["file_id"].is_null());
    assert_eq!(frames, [ended(&other, "workspace_deleted"), ended(&room, "workspace_deleted")]);
}
