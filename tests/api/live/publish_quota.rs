//! How many bytes an account may say in rooms: over all of its connections and projects together.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{follow, is_quiet};
use crate::support::{Person, Socket, World};

/// Kibibytes that an account may publish at once, and so many a second.
const BURST: f64 = 4096.0;
const PER_SECOND: f64 = 1024.0;
/// What a message is charged whose data are as large as they may be: its name counts, too.
const DATA: usize = 16 * 1024;
const CHARGED: f64 = 17.0;

async fn enter(person: &Person, project: &str) -> Socket {
    let mut socket = Socket::open(person).await;
    follow(&mut socket, project).await;
    socket
}

/// Says so many large messages at once; returns how many of them were passed on.
async fn say(socket: &mut Socket, project: &str, messages: usize) -> usize {
    let data = "x".repeat(DATA - 2);
    for id in 0..messages {
        let message = json!({"type": "publish", "project_id": project, "name": "n", "data": data, "id": id});
        socket.send(message).await;
    }
    socket.send(json!({"type": "ping", "id": "all"})).await;
    let mut refused = Vec::new();
    loop {
        let frame = socket.next().await.expect("nothing is closed");
        match frame["type"].as_str() {
            Some("error") => {
                let told = (&frame["code"], &frame["project_id"]);
                assert_eq!(told, (&json!("too_many_messages"), &json!(project)), "{frame}");
                refused.push(frame["ref"].as_u64().expect("the message that was refused"));
            }
            Some("pong") => break,
            Some("message" | "head") => {}
            _ => panic!("{frame}"),
        }
    }
    assert!(refused.is_sorted_by(|one, next| one < next), "each is refused once: {refused:?}");
    messages - refused.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_one_quota_however_many_connections_and_projects_it_has() {
    let world = World::new().await;
    // So that no connection has had its own share before.
    let settings =
        [("WORKROOM_LIVE__PUBLISHED_PER_SECOND", "10000"), ("WORKROOM_LIVE__EPHEMERAL_PER_SECOND", "100000")];
    let server = world.server_with(&[], &settings).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    ada.invite(&apollo, &bob, "collaborator").await;
    let (mut one, mut two) = (enter(&ada, &apollo).await, enter(&ada, &gemini).await);

    let began = Instant::now();
    let first = say(&mut one, &apollo, 400).await;
    let second = say(&mut two, &gemini, 240).await;
    let may = |elapsed: Duration| PER_SECOND.mul_add(elapsed.as_secs_f64(), BURST) / CHARGED;
    let (said, most) = ((first + second) as f64, may(began.elapsed()));
    assert!(first as f64 >= (BURST / CHARGED).floor(), "{first} of those that it may say at once");
    assert!(second < 240, "the second connection has no quota of its own");
    assert!(said <= most, "{first} and {second} of at most {most}");

    let mut his = enter(&bob, &apollo).await;
    assert_eq!(say(&mut his, &apollo, 100).await, 100, "another account has its own");

    // Requests take from the same.
    let large = json!({"name": "n", "data": "x".repeat(DATA - 2)});
    let mut replies = 0..400;
    let is_refused = async |_| ada.post(&format!("/projects/{gemini}/realtime"), large.clone()).await.status == 429;
    let refused = loop {
        match replies.next() {
            Some(number) if is_refused(number).await => break true,
            Some(_) => {}
            None => break false,
        }
    };
    assert!(refused, "by requests it may say as much as it likes");

    // Not to wait for anything: the quota is one of time.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(say(&mut two, &gemini, 60).await, 60, "a second's worth");
    // Both go on as before.
    tokio::time::sleep(Duration::from_millis(100)).await;
    one.send(json!({"type": "publish", "project_id": apollo, "name": "n", "data": "last"})).await;
    assert_eq!(his.expect("message").await["data"], "last");
    is_quiet(&mut his).await;
}
