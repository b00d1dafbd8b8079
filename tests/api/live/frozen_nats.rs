//! NATS stands still, and does not hang up: rooms of one process do not wait for it, and those of several find together
//! again.

use std::time::{Duration, Instant};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::support::{Person, Socket, World};

/// How long it may take until others at the same process see what somebody shows and says.
const LONGEST: Duration = Duration::from_secs(1);
/// Or so many times as long as the slowest before NATS stood still: a machine that is slow for everything is no fault
/// of NATS.
const TIMES_THE_CALM: u32 = 3;
/// How long NATS stands still: the service takes it for gone after six seconds.
const STANDSTILL: Duration = Duration::from_secs(9);

/// A NATS that stands still; it goes on when this is dropped.
struct Frozen(Pid);

impl Frozen {
    fn freeze(world: &World) -> Self {
        let nats = Pid::from_raw(i32::try_from(world.nats().pid().expect("NATS")).expect("a pid"));
        kill(nats, Signal::SIGSTOP).expect("NATS");
        Self(nats)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

/// Somebody in a room.
struct Visitor {
    socket: Socket,
    id: String,
    project: String,
}

impl Visitor {
    async fn enter(person: &Person, project: &str) -> Self {
        let mut socket = Socket::open(person).await;
        socket.send(json!({"type": "subscribe", "project_id": project, "presence": true, "cursors": true})).await;
        for frame_type in ["subscribed", "caught_up", "presence.state"] {
            socket.expect(frame_type).await;
        }
        Self { socket, id: person.id.clone(), project: project.to_owned() }
    }

    async fn show_state(&mut self, state: Value) {
        self.socket.send(json!({"type": "presence", "project_id": self.project, "state": state})).await;
    }

    /// Shows, points to and says a number.
    async fn show(&mut self, number: u64) {
        self.show_state(json!(number)).await;
        self.socket.send(json!({"type": "cursor", "project_id": self.project, "x": number})).await;
        self.socket.send(json!({"type": "publish", "project_id": self.project, "name": "n", "data": number})).await;
    }

    /// Waits until all three are seen of somebody.
    async fn see(&mut self, other: &str, number: u64) {
        let mut missing = vec!["presence", "cursor", "message"];
        while !missing.is_empty() {
            let frame = self.read().await;
            let seen = match frame["type"].as_str() {
                Some("cursor") if frame["user_id"] == other && frame["x"] == number => "cursor",
                Some("message") if frame["from"] == other && frame["data"] == number => "message",
                Some(_) if shows_state(&frame, other, &json!(number)) => "presence",
                _ => continue,
            };
            missing.retain(|one| *one != seen);
        }
    }

    async fn see_state(&mut self, other: &str, state: &Value) {
        while !shows_state(&self.read().await, other, state) {}
    }

    /// Says so much at once, and waits until the service has taken it.
    async fn flood(&mut self, messages: usize, bytes: usize) {
        let data = "x".repeat(bytes);
        let message = json!({"type": "publish", "project_id": self.project, "name": "n", "data": data}).to_string();
        for _ in 0..messages {
            self.socket.send_text(&message).await;
        }
        self.socket.send(json!({"type": "ping", "id": "taken"})).await;
        while self.read().await["ref"] != "taken" {}
    }

    async fn read(&mut self) -> Value {
        let frame = self.socket.next().await.expect("an open socket");
        assert_ne!(frame["type"], "error", "{frame}");
        frame
    }
}

/// Whether a frame tells that somebody shows this.
fn shows_state(frame: &Value, who: &str, state: &Value) -> bool {
    let is_shown = |member: &Value| member["user_id"] == who && member.get("state") == Some(state);
    is_shown(frame) || frame["members"].as_array().is_some_and(|members| members.iter().any(is_shown))
}

/// Two people show and say something, and see it of each other; returns how long that took.
async fn exchange(one: &mut Visitor, two: &mut Visitor, number: u64) -> Duration {
    let began = Instant::now();
    one.show(number).await;
    two.show(number).await;
    one.see(&two.id, number).await;
    two.see(&one.id, number).await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_of_one_process_do_not_wait_for_a_nats_that_stands_still() {
    let world = World::new().await;
    let settings =
        [("WORKROOM_LIVE__PUBLISHED_PER_SECOND", "10000"), ("WORKROOM_LIVE__EPHEMERAL_PER_SECOND", "100000")];
    let (here, there) = (world.server_with(&[], &settings).await, world.server_with(&[], &settings).await);
    let ada = here.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut visitors = vec![Visitor::enter(&ada, &project).await];
    for name in ["bob", "grace", "edith"] {
        let person = here.person(name).await;
        ada.invite(&project, &person, "collaborator").await;
        let address = if name == "edith" { &there.address } else { &here.address };
        visitors.push(Visitor::enter(&person.at(address), &project).await);
    }
    let [mut ada, mut bob, mut grace, mut edith] = <[Visitor; 4]>::try_from(visitors).ok().expect("four visitors");
    exchange(&mut ada, &mut edith, 0).await;
    let mut calm = Duration::ZERO;
    for number in 1..=10 {
        calm = calm.max(exchange(&mut ada, &mut bob, number).await);
    }
    let longest = LONGEST.max(TIMES_THE_CALM * calm);

    let frozen = Frozen::freeze(&world);
    let since = Instant::now();
    // More than the connection to NATS takes, and then more than may wait for it, each within what an account may say.
    for visitor in [&mut ada, &mut grace] {
        visitor.flood(240, 16 * 1024 - 2).await;
    }
    bob.flood(3000, 1).await;
    // To pass on all that is work; it is not what NATS holds up.
    let mut number = 11;
    exchange(&mut ada, &mut bob, number).await;
    let mut slowest = Duration::ZERO;
    while since.elapsed() < STANDSTILL || number < 30 {
        number += 1;
        let took = exchange(&mut ada, &mut bob, number).await;
        assert!(took <= longest, "{took:?} of {longest:?}, {:?} after NATS stood still", since.elapsed());
        slowest = slowest.max(took);
    }
    drop(frozen);
    eprintln!("slowest exchange beside a NATS that stands still: {slowest:?}, before {calm:?}, allowed {longest:?}");

    // Those of the other process see each other's people again.
    let (hers, his) = (json!("still here"), json!("here, too"));
    bob.show_state(his.clone()).await;
    edith.see_state(&bob.id, &his).await;
    edith.show_state(hers.clone()).await;
    bob.see_state(&edith.id, &hers).await;
}
