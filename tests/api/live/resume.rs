//! Coming back: no hole and no duplicate, whatever happens to the connection.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::json;

use super::{Notes, edit, head};
use crate::support::{Person, Socket, World};

const WRITERS: usize = 4;
const EDITS: usize = 60;
const READERS: u64 = 8;

/// A number below `below`; a cheap generator, the same with each run.
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

/// Follows a project with a connection that breaks again and again, now here and now there, until the project rests and
/// everything has come. Returns how often it connected, and the last place.
async fn follow_brokenly(number: u64, instances: Vec<Person>, project: String, is_over: Arc<AtomicBool>) -> (u32, i64) {
    let mut chance = number;
    let (mut last, mut connections) = (0, 0);
    loop {
        let person = &instances[usize::try_from(random(&mut chance, 2)).expect("an index")];
        let mut socket = Socket::open(person).await;
        connections += 1;
        // Asked for before the last look at `is_over`, so that what is written is behind the subscription or before it.
        let was_over = is_over.load(Ordering::SeqCst);
        socket.send(json!({"type": "subscribe", "project_id": project, "since": {"seq": last}})).await;
        socket.expect("subscribed").await;
        let mut patience = random(&mut chance, 60);
        loop {
            let frame = socket.next().await.expect("an open socket");
            match frame["type"].as_str() {
                Some("event") => {
                    assert_eq!(frame["seq"], last + 1, "reader {number}, connection {connections}");
                    last += 1;
                }
                Some("caught_up") => {
                    assert_eq!(frame["seq"], last, "reader {number}, connection {connections}");
                    if was_over {
                        return (connections, last);
                    }
                }
                Some("head") => {}
                _ => panic!("{frame}"),
            }
            if !was_over && (patience == 0 || is_over.load(Ordering::SeqCst)) {
                break;
            }
            patience = patience.saturating_sub(1);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_cost_nothing() {
    let world = World::new().await;
    let (one, two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let instances = vec![ada.clone(), ada.at(&two.address)];
    let project = ada.project("Apollo").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..READERS)
        .map(|number| tokio::spawn(follow_brokenly(number, instances.clone(), project.clone(), is_over.clone())))
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (writer, project) = (instances[number % 2].clone(), project.clone());
            tokio::spawn(async move {
                for _ in 0..EDITS {
                    edit(&writer, &project).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("all written");
    }
    let written = head(&ada, &project).await;
    is_over.store(true, Ordering::SeqCst);
    // Whoever has everything so far hears of the end by this; whoever connects before it need not have it.
    edit(&ada, &project).await;
    let mut broken = 0;
    for reader in readers {
        let (connections, last) = reader.await.expect("all read");
        assert!((written..=written + 1).contains(&last), "{last} of {written}");
        broken += connections - 1;
    }
    assert!(u64::from(broken) > READERS, "the connections broke only {broken} times");
}

/// Pages of both are cut short by their bytes, and read by turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_long_histories_come_over_one_connection() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let mut projects = Vec::new();
    for name in ["Apollo", "Gemini", "Mercury"] {
        let project = ada.project(name).await;
        let mut notes = Notes::of(&project, world.pool().await).await;
        for _ in 0..12 {
            notes.write(50, &"x".repeat(2_000)).await;
        }
        projects.push(project);
    }
    // Far enough behind for the rings to have lost it.
    let other = world.server().await;
    let mut socket = Socket::open(&ada.at(&other.address)).await;
    for project in &projects {
        socket.send(json!({"type": "subscribe", "project_id": project, "since": {"seq": 0}})).await;
    }
    let mut last: HashMap<String, i64> = HashMap::new();
    let mut caught_up = 0;
    while caught_up < projects.len() {
        let frame = socket.next().await.expect("an open socket");
        let place = last.entry(frame["project_id"].as_str().unwrap_or_default().to_owned()).or_default();
        match frame["type"].as_str() {
            Some("event") => {
                *place += 1;
                assert_eq!(frame["seq"], *place);
            }
            Some("caught_up") => {
                assert_eq!(frame["seq"], *place);
                caught_up += 1;
            }
            _ => {}
        }
    }
    assert!(projects.iter().all(|project| last[project] > 600), "{last:?}");
}

/// A feed that is followed again must not be shown pages of the history before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_another_history_are_not_shown() {
    let world = World::new().await;
    let settings = [
        ("WORKROOM_LIVE__LINGER_MS", "1"),
        ("WORKROOM_LIVE__HEADS_MS", "50"),
        ("WORKROOM_LIVE__HEADS_IN_DOUBT_MS", "50"),
    ];
    let server = world.server_with(&[], &settings).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let mut socket = Socket::open(&ada).await;
    let before = socket.subscribe(&project, 0).await;
    assert_eq!(before[0]["data"]["name"], "Apollo");
    drop(socket);

    let pool = world.pool().await;
    let epoch = uuid::Uuid::new_v4();
    for statement in [
        "ALTER TABLE events DISABLE TRIGGER USER".to_owned(),
        format!(
            "UPDATE events SET payload = replace(payload::text, 'Apollo', 'Gemini')::json
             WHERE feed_id = '{project}' AND feed_seq = 1"
        ),
        "ALTER TABLE events ENABLE TRIGGER USER".to_owned(),
        format!("UPDATE log_epoch SET epoch = '{epoch}'"),
    ] {
        sqlx::query(&statement).execute(&pool).await.expect("another history");
    }
    let bearer = format!("Bearer {}", ada.token());
    let patience = std::time::Instant::now();
    let mut socket = loop {
        let mut socket = Socket::attempt(&server.address, "", &[("authorization", &bearer)]).await.expect("a socket");
        if socket.expect("welcome").await["epoch"] == epoch.to_string() {
            break socket;
        }
        assert!(patience.elapsed() < std::time::Duration::from_secs(8), "the pages are gone by themselves soon");
    };
    let after = socket.subscribe(&project, 0).await;
    assert_eq!(after[0]["data"]["name"], "Gemini");
}
