//! A subscription that is called off at once: its end is never told before its beginning.

use std::{collections::HashSet, time::Duration};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    Notes, edit, follow,
    raw::{self, Raw},
};
use crate::support::{Person, Socket, World};

const ROUNDS: i64 = 200;

/// A client that begins and ends subscriptions, and insists on the order in which it is told so.
struct Fickle {
    raw: Raw,
    /// Projects whose subscription stands, as far as was told.
    open: HashSet<String>,
    /// Messages that asked for a subscription whose end was told.
    over: HashSet<i64>,
}

impl Fickle {
    async fn open(person: &Person) -> Self {
        let (raw, _) = raw::open(person, &[], None).await;
        let mut fickle = Self { raw, open: HashSet::new(), over: HashSet::new() };
        fickle.read_to("welcome").await;
        fickle
    }

    /// Subscribes, and unsubscribes in the same go, or after so long. The second message has the id behind that of the
    /// first.
    async fn change_mind(&mut self, project: &str, id: i64, after: Duration) {
        let subscribe = json!({"type": "subscribe", "project_id": project, "since": {"seq": 0}, "id": id});
        let unsubscribe = json!({"type": "unsubscribe", "project_id": project, "id": id + 1});
        self.raw.feed(Message::text(subscribe.to_string())).await.expect("an open socket");
        if !after.is_zero() {
            self.raw.flush().await.expect("an open socket");
            // Not to wait for anything: the moment is what varies.
            tokio::time::sleep(after).await;
        }
        self.raw.feed(Message::text(unsubscribe.to_string())).await.expect("an open socket");
        self.raw.flush().await.expect("an open socket");
        while !self.over.contains(&id) {
            self.read().await;
        }
    }

    async fn read_to(&mut self, frame_type: &str) {
        while self.read().await["type"] != frame_type {}
    }

    async fn read(&mut self) -> Value {
        loop {
            let message =
                tokio::time::timeout(Duration::from_secs(20), self.raw.next()).await.expect("a frame in time");
            if let Message::Text(text) = message.expect("a frame").expect("an open socket") {
                let frame: Value = serde_json::from_str(&text).expect("JSON");
                self.check(&frame);
                return frame;
            }
        }
    }

    fn check(&mut self, frame: &Value) {
        let project = frame["project_id"].as_str().unwrap_or_default();
        match frame["type"].as_str().expect("a type") {
            "subscribed" => {
                let id = frame["ref"].as_i64().expect("the message that asked for it");
                assert!(!self.over.contains(&id), "its end was told before: {frame}");
                assert!(self.open.insert(project.to_owned()), "it stands already: {frame}");
            }
            "unsubscribed" => {
                self.open.remove(project);
                self.over.insert(frame["ref"].as_i64().expect("the message that asked for it") - 1);
            }
            "event" | "caught_up" => assert!(self.open.contains(project), "there is no subscription: {frame}"),
            "welcome" | "head" => {}
            _ => panic!("{frame}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changes_their_mind_at_once_is_told_so_in_order() {
    let world = World::new().await;
    let settings = [
        ("WORKROOM_LIVE__MESSAGES_PER_SECOND", "100000"),
        ("WORKROOM_LIVE__MESSAGE_BURST", "100000"),
        ("WORKROOM_LIVE__SUBSCRIPTIONS", "1000"),
        // A feed that nobody follows is opened anew each time.
        ("WORKROOM_LIVE__LINGER_MS", "1"),
    ];
    let server = world.server_with(&[], &settings).await;
    let ada = server.person("ada").await;
    let (followed, deserted) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let mut witness = Socket::open(&ada).await;
    follow(&mut witness, &followed).await;
    let mut fickle = Fickle::open(&ada).await;
    for round in 0..ROUNDS {
        let project = if round % 2 == 0 { &followed } else { &deserted };
        let micros = if round % 4 < 2 { 0 } else { round * 37 % 3000 };
        fickle.change_mind(project, 2 * round, Duration::from_micros(micros.unsigned_abs())).await;
    }
    // Whatever was called off is looked into by now, and not told of.
    for (project, id) in [(&followed, 2 * ROUNDS), (&deserted, 2 * ROUNDS + 2)] {
        let subscribe = json!({"type": "subscribe", "project_id": project, "id": id}).to_string();
        fickle.raw.send(Message::text(subscribe)).await.expect("an open socket");
        fickle.read_to("caught_up").await;
        edit(&ada, project).await;
        fickle.read_to("event").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_nothing_finds_the_end_behind_the_beginning() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_LIVE__SLOW_GRACE_MS", "60000")]).await;
    let ada = server.person("ada").await;
    let (long, short) = (ada.project("Apollo").await, ada.project("Gemini").await);
    // More than all buffers on the way hold.
    Notes::of(&long, world.pool().await).await.write(200, &"x".repeat(100_000)).await;
    let mut witness = Socket::open(&ada).await;
    let room = json!({"type": "subscribe", "project_id": short, "presence": true, "id": "beginning"});
    witness.send(room.clone()).await;
    for frame_type in ["subscribed", "caught_up", "presence.state"] {
        witness.expect(frame_type).await;
    }

    let (mut sleeper, _) = raw::open(&ada, &[], Some(8 * 1024)).await;
    let history = json!({"type": "subscribe", "project_id": long, "since": {"seq": 0}});
    sleeper.send(Message::text(history.to_string())).await.expect("an open socket");
    // From now on it takes nothing, until all buffers on the way are full.
    tokio::time::sleep(Duration::from_millis(500)).await;
    sleeper.send(Message::text(room.to_string())).await.expect("an open socket");
    assert_eq!(witness.expect("presence.updated").await["connections"], 2, "it has begun");
    let leave = json!({"type": "unsubscribe", "project_id": short, "id": "end"});
    sleeper.send(Message::text(leave.to_string())).await.expect("an open socket");
    assert_eq!(witness.expect("presence.updated").await["connections"], 1, "and ended");

    let mut answers = Vec::new();
    while answers.len() < 2 {
        let message = sleeper.next().await.expect("a frame").expect("an open socket");
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if let Some(to) = frame["ref"].as_str() {
            answers.push((frame["type"].as_str().expect("a type").to_owned(), to.to_owned()));
        }
    }
    let expected = [("subscribed", "beginning"), ("unsubscribed", "end")];
    assert_eq!(answers, expected.map(|(frame_type, to)| (frame_type.to_owned(), to.to_owned())));
}
