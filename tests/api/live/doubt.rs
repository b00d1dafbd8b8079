//! While it is in doubt whether somebody may still be in a room, the room says nothing to them.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;
use workroom::messaging::{Messaging, copy, seal::Seal};
use workroom_projections::{history, log};

use super::{head, is_quiet};
use crate::support::{Closed, Person, Socket, World};

/// More than any event here needs.
const MAX_PAYLOAD: usize = 1024 * 1024;

/// Opens a socket that is told everything of a project's room; whether it is shown there is up to it.
async fn enter(person: &Person, project: &str, presence: bool) -> Socket {
    let mut socket = Socket::open(person).await;
    let subscribe = json!({"type": "subscribe", "project_id": project, "presence": presence, "cursors": true});
    socket.send(subscribe).await;
    socket.expect("subscribed").await;
    socket.expect("caught_up").await;
    if presence {
        socket.expect("presence.state").await;
    }
    socket
}

/// Reads until each of these has come, and nothing but these and what goes with them.
async fn all_of(socket: &mut Socket, types: &[&str]) -> Vec<Value> {
    let (mut missing, mut frames) = (types.to_vec(), Vec::new());
    while !missing.is_empty() {
        let frame = socket.next().await.expect("an open socket");
        let frame_type = frame["type"].as_str().expect("a type").to_owned();
        let passing = ["head", "presence.updated"].contains(&frame_type.as_str());
        assert!(passing || types.contains(&frame_type.as_str()), "{frame} while waiting for {missing:?}");
        missing.retain(|one| *one != frame_type);
        frames.push(frame);
    }
    frames
}

/// Events that were committed where nobody could tell of them; told by the test, as another process does it.
struct Untold {
    nats: Messaging,
    seal: Seal,
    epoch: Uuid,
    feed: Uuid,
    events: Vec<history::EventRow>,
}

impl Untold {
    /// What is behind this place of a project.
    async fn behind(world: &World, pool: &PgPool, project: &str, last: i64) -> Self {
        let nats = Messaging::connect(world.nats_url()).await.expect("an address");
        nats.connected().await;
        let feed = project.parse().expect("an id");
        let events = history::since(pool, feed, last, 100).await.expect("events");
        assert!(!events.is_empty(), "the change is in the log");
        let seal = Seal::open(pool).await.expect("a seal");
        Self { nats, seal, epoch: log::epoch(pool).await.expect("an epoch"), feed, events }
    }

    async fn tell(self) {
        let subject = format!("live.{}", self.feed);
        for event in self.events {
            let (payload, mut headers) = copy::message(event, self.epoch, MAX_PAYLOAD).expect("a message");
            self.seal.put(&subject, &mut headers, &payload);
            self.nats.client().publish_with_headers(subject.clone(), headers, payload).await.expect("NATS");
        }
        self.nats.client().flush().await.expect("NATS");
    }
}

/// Keeps everybody from reading the log, and so from finding out who may do what.
async fn lock_the_log(world: &World) -> PgConnection {
    let mut lock = PgConnection::connect(&world.database_url).await.expect("a connection");
    for statement in ["BEGIN", "LOCK TABLE events, aggregate_snapshots IN ACCESS EXCLUSIVE MODE"] {
        sqlx::query(statement).execute(&mut lock).await.expect("a lock");
    }
    lock
}

async fn unlock(mut lock: PgConnection) {
    sqlx::query("ROLLBACK").execute(&mut lock).await.expect("no lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_say_nothing_to_whom_they_may_be_closed() {
    let world = World::new().await;
    let never = [("WORKROOM_LIVE__HEADS_MS", "3600000"), ("WORKROOM_LIVE__HEADS_IN_DOUBT_MS", "3600000")];
    let here = world.server_with(&["--roles", "api,live,projector,scheduler"], &never).await;
    // It commits, and can tell nobody.
    let cut_off = world.server_with(&["--roles", "api"], &[("NATS_URL", "nats://127.0.0.1:1")]).await;
    let (ada, bob, grace) = (here.person("ada").await, here.person("bob").await, here.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &bob, "collaborator").await;
    ada.invite(&project, &grace, "viewer").await;
    let pool = world.pool().await;
    let member = format!("/projects/{project}/members/{}", bob.id);

    let mut hers = enter(&ada, &project, false).await;
    let mut others = enter(&grace, &project, false).await;
    let mut his = enter(&bob, &project, true).await;
    let last = head(&ada, &project).await;
    ada.at(&cut_off.address).patch(&member, json!({"role": "viewer"})).await.is(200);
    for socket in [&mut hers, &mut others, &mut his] {
        is_quiet(socket).await;
    }
    let untold = Untold::behind(&world, &pool, &project, last).await;
    let lock = lock_the_log(&world).await;
    untold.tell().await;
    // Who sees the event can do so only after it has put his rights in doubt.
    for socket in [&mut hers, &mut others] {
        assert_eq!(socket.event().await["event_type"], "MemberRoleChanged");
    }
    hers.send(json!({"type": "presence", "project_id": project, "state": {"file": "main.rs"}})).await;
    hers.send(json!({"type": "cursor", "project_id": project, "line": 3})).await;
    hers.send(json!({"type": "publish", "project_id": project, "name": "said", "data": "in doubt"})).await;
    all_of(&mut others, &["cursor", "message"]).await;
    is_quiet(&mut his).await;
    // Nor does he say anything.
    for frame in [
        json!({"type": "publish", "project_id": project, "name": "said", "data": 1, "id": 1}),
        json!({"type": "presence", "project_id": project, "state": 1, "id": 2}),
        json!({"type": "cursor", "project_id": project, "line": 1, "id": 3}),
    ] {
        his.send(frame.clone()).await;
        let error = his.next().await.expect("an open socket");
        assert_eq!((&error["code"], &error["ref"]), (&json!("unavailable"), &frame["id"]), "{error}");
    }
    unlock(lock).await;
    let told = all_of(&mut his, &["event", "role", "presence.joined", "cursor", "message"]).await;
    let of_type = |frame_type: &str| told.iter().find(|frame| frame["type"] == frame_type).expect("read before");
    assert_eq!(of_type("role")["role"], "viewer");
    assert_eq!(of_type("message")["data"], "in doubt");
    assert_eq!(of_type("cursor")["line"], 3);
    // Her state is shown with her, or a moment later.
    let is_state = |frame: &Value| frame["state"] == json!({"file": "main.rs"});
    let mut is_shown = told.iter().any(is_state);
    while !is_shown {
        is_shown = is_state(&his.expect("presence.updated").await);
    }
    his.send(json!({"type": "publish", "project_id": project, "name": "said", "data": 1})).await;
    assert_eq!(all_of(&mut his, &["error"]).await.pop().expect("an error")["code"], "forbidden");

    // The same, and this time he has lost the right: what was said meanwhile is never his to know.
    let last = head(&ada, &project).await;
    ada.at(&cut_off.address).delete(&member).await.is(204);
    let untold = Untold::behind(&world, &pool, &project, last).await;
    let lock = lock_the_log(&world).await;
    untold.tell().await;
    for socket in [&mut hers, &mut others] {
        assert_eq!(socket.event().await["event_type"], "MemberRemoved");
    }
    hers.send(json!({"type": "publish", "project_id": project, "name": "said", "data": "without him"})).await;
    assert_eq!(others.expect("message").await["data"], "without him");
    is_quiet(&mut his).await;
    unlock(lock).await;
    let (frames, closed) = his.until_closed().await;
    let frames: Vec<_> = frames.into_iter().filter(|frame| frame["type"] != "head").collect();
    let revoked = json!({"type": "unsubscribed", "project_id": project, "reason": "access_revoked"});
    assert_eq!((frames, closed), (vec![revoked], Closed(4403)));
}
