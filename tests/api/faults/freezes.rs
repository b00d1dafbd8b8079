//! Instances stand still at random moments, in turn, under all kinds of commands: nobody waits for them at the others.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::load::assert_proved;
use crate::support::{Person, World, eventually};

/// How long a command may take at an instance that does not stand still.
const LONGEST: Duration = Duration::from_secs(1);
/// The same on a machine that is busy with other tests.
const LONGEST_BESIDE_OTHERS: Duration = Duration::from_millis(2500);
/// Or so many times as long as the slowest while none stood still: a machine that is slow for everything is no fault of a freeze.
const TIMES_THE_CALM: u32 = 3;
/// Clients at each instance.
const CLIENTS: usize = 5;

/// What clients and the one who freezes know of an instance.
#[derive(Default)]
struct Instance {
    /// Odd while it stands still.
    freezes: AtomicUsize,
    /// Commands answered that it had all the time for.
    answered: AtomicUsize,
}

struct Stage {
    instances: [Instance; 2],
    /// Sessions are open, statements are prepared.
    is_warm: AtomicBool,
    /// The slowest command of those that were answered before the first freeze.
    calm: Mutex<Duration>,
    /// How long a command may take; known when the freezes begin.
    longest: OnceLock<Duration>,
    stop: AtomicBool,
}

/// A command of each kind in turn: through the batch, with changes of tables, and both under a key.
fn command(number: usize, scene: &Scene) -> (Method, String, serde_json::Value, u16) {
    let unique = Uuid::now_v7().simple().to_string();
    let project = &scene.project;
    match number % 5 {
        0 | 1 => (Method::PATCH, format!("/projects/{project}"), json!({"description": unique}), 200),
        2 => (Method::POST, format!("/projects/{project}/tasks"), json!({"title": unique}), 201),
        3 => {
            let path = format!("/projects/{project}/workspaces/{}/files", scene.workspace);
            (Method::POST, path, json!({"path": format!("{unique}.txt"), "content": unique}), 201)
        }
        _ => {
            let invited = json!({"email": format!("{unique}@example.com"), "role": "viewer"});
            (Method::POST, format!("/projects/{project}/members"), invited, 201)
        }
    }
}

struct Scene {
    project: String,
    workspace: String,
}

async fn client(own: Person, number: usize, stage: Arc<Stage>, scene: Arc<Scene>) -> Duration {
    let instance = &stage.instances[number % 2];
    let mut slowest = Duration::ZERO;
    for count in number.. {
        if stage.stop.load(Ordering::SeqCst) {
            break;
        }
        let before = instance.freezes.load(Ordering::SeqCst);
        let is_warm = stage.is_warm.load(Ordering::SeqCst);
        let (method, path, body, status) = command(count, &scene);
        let asked = Instant::now();
        let reply = own.try_send(method.clone(), &path, Some(body.to_string())).await.expect("an answer");
        let took = asked.elapsed();
        if before % 2 == 1 || instance.freezes.load(Ordering::SeqCst) != before {
            continue;
        }
        let reply = reply.is(status);
        assert_eq!(reply.header("workroom-visible"), "", "{method} {path}: not visible after {took:?}");
        if let Some(longest) = stage.longest.get() {
            assert!(took <= *longest, "{method} {path} took {took:?} of {longest:?}");
            slowest = slowest.max(took);
        } else if is_warm {
            let mut calm = stage.calm.lock().expect("a lock");
            *calm = took.max(*calm);
        }
        instance.answered.fetch_add(1, Ordering::SeqCst);
    }
    slowest
}

async fn instances_stand_still(freezes: usize, longest: Duration) {
    let world = World::new().await;
    let servers = [world.server().await, world.server().await];
    let ada = servers[0].person("ada").await;
    let project = ada.project("Apollo").await;
    let workspace = ada.post(&format!("/projects/{project}/workspaces"), json!({"name": "Main"})).await.is(201).id();
    let scene = Arc::new(Scene { project, workspace });
    let stage = Arc::new(Stage {
        instances: Default::default(),
        is_warm: AtomicBool::new(false),
        calm: Mutex::default(),
        longest: OnceLock::new(),
        stop: AtomicBool::new(false),
    });
    let mut clients = JoinSet::new();
    for number in 0..2 * CLIENTS {
        let own = ada.at(&servers[number % 2].address);
        clients.spawn(client(own, number, Arc::clone(&stage), Arc::clone(&scene)));
    }
    let answered = |instance: usize| stage.instances[instance].answered.load(Ordering::SeqCst);
    eventually("both are warm", async || answered(0).min(answered(1)) > 10 * CLIENTS).await;
    stage.is_warm.store(true, Ordering::SeqCst);
    eventually("the pace is known", async || answered(0).min(answered(1)) > 60 * CLIENTS).await;
    let calm = *stage.calm.lock().expect("a lock");
    let longest = longest.max(TIMES_THE_CALM * calm);
    stage.longest.set(longest).expect("set once");
    for round in 0..freezes {
        let (frozen, other) = (round % 2, (round + 1) % 2);
        let (here, there) = (answered(frozen), answered(other));
        eventually("both take commands", async || answered(frozen) > here + 5 && answered(other) > there + 5).await;
        // Not to wait for anything: the moment is what varies.
        tokio::time::sleep(Duration::from_micros(Uuid::now_v7().as_u128() as u64 % 50_000)).await;
        stage.instances[frozen].freezes.fetch_add(1, Ordering::SeqCst);
        servers[frozen].signal(Signal::SIGSTOP);
        let there = answered(other);
        eventually("the other one goes on", async || answered(other) > there + 25).await;
        servers[frozen].signal(Signal::SIGCONT);
        stage.instances[frozen].freezes.fetch_add(1, Ordering::SeqCst);
        if let Some(ended) = clients.try_join_next() {
            ended.map_err(|error| std::panic::resume_unwind(error.into_panic())).expect("clients go on");
        }
    }
    stage.stop.store(true, Ordering::SeqCst);
    let mut slowest = Duration::ZERO;
    while let Some(ended) = clients.join_next().await {
        slowest = slowest.max(ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
    }
    eprintln!("slowest command beside {freezes} freezes: {slowest:?}, before them {calm:?}, allowed {longest:?}");
    assert_proved(&world, &world.pool().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_an_instance_that_stands_still() {
    instances_stand_still(6, LONGEST_BESIDE_OTHERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long drill"]
async fn drill_nobody_waits_for_fifty_instances_that_stand_still() {
    instances_stand_still(50, LONGEST).await;
}
