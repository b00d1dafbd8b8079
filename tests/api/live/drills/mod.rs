//! Live streams while everything under them is harmed: what 20 clients of `clients/js` receive is held against the log.
//!
//! [`stage`] has the instances and what they stand on. [`clients`] runs the program of `tests/clients/streams`: the
//! clients, a bad proxy before the instances, writers, and the checker. [`flood`] writes most of the events. A fault is
//! a variant in [`faults`].
//!
//! Moments and victims are chosen by a seed, which is printed; `WORKROOM_DRILL_SEED` sets it. When something is wrong,
//! what each client has received is left in the data folder, in `drills`.

mod clients;
mod faults;
mod flood;
mod random;
mod report;
mod stage;
mod truth;

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use faults::Fault;
use stage::{Plan, Stage};

/// Events of all projects together.
const EVENTS: i64 = 100_000;
/// How often each fault happens.
const ROUNDS: usize = 3;
/// How long to wait before a fault at most: the moment is what varies.
const LONGEST_CALM: Duration = Duration::from_millis(1500);
/// How often both instances are restarted, one after the other.
const ROLLS: i64 = 3;
/// Events that are written around each restart of both.
const EVENTS_A_ROLL: i64 = 3_000;
/// A client that keeps a connection for five seconds starts over with short pauses.
const CALM_AFTER_A_ROLL: Duration = Duration::from_secs(6);
/// How long a client may be without a connection when an instance restarts and the other one is there.
const LONGEST_GAP: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_checker_finds_what_is_planted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/streams");
    let mut tests = tokio::process::Command::new("node");
    tests.args(["--test", "check.test.js"]).current_dir(folder).stdin(Stdio::null());
    let output = tests.output().await.expect("node");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long drill"]
async fn drill_streams_lose_and_double_nothing_under_faults() {
    let mut stage = Stage::new(&Plan { name: "faults", writers: 4, is_quick: true }).await;
    let mut plan: Vec<Fault> = (0..ROUNDS).flat_map(|_| Fault::ALL).collect();
    stage.random.shuffle(&mut plan);
    let share = EVENTS / i64::try_from(plan.len()).expect("a small number") + 1;
    stage.clients.mistreat(true).await;
    for (number, fault) in plan.iter().enumerate() {
        // Half of the share comes around the fault, half after it.
        stage.flood.allow(share / 2);
        let calm = stage.random.duration_below(LONGEST_CALM);
        tokio::time::sleep(calm).await;
        let began = Instant::now();
        stage.harm(*fault).await;
        stage.flood.allow(share - share / 2);
        let harmed = began.elapsed();
        stage.all_go_on(&format!("{fault:?}")).await;
        eprintln!(
            "{} of {}: {fault:?} took {harmed:.1?}, everyone has gone on after {:.1?}",
            number + 1,
            plan.len(),
            began.elapsed()
        );
    }
    assert!(stage.slow_consumers() > 0, "NATS has found no consumer too slow");
    let report = stage.finish().await;
    assert!(report.events >= EVENTS, "only {} events", report.events);
    for (name, count) in &report.proxy {
        assert!(*count > 0, "no connection was {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long drill"]
async fn drill_rolling_restarts_lose_nothing_and_keep_clients_waiting_for_seconds_only() {
    let mut stage = Stage::new(&Plan { name: "restarts", writers: 8, is_quick: false }).await;
    for round in 1..=ROLLS {
        stage.flood.allow(EVENTS_A_ROLL / 2);
        stage.harm(Fault::RestartBothInTurn).await;
        stage.flood.allow(EVENTS_A_ROLL / 2);
        stage.all_go_on(&format!("restart {round} of {ROLLS}")).await;
        tokio::time::sleep(CALM_AFTER_A_ROLL).await;
    }
    let report = stage.finish().await;
    for client in &report.clients {
        let told: Vec<_> = client.ends.keys().map(String::as_str).collect();
        assert_eq!(told, ["1012"], "a connection ended otherwise: {client:?}");
        assert!(client.longest_gap() < LONGEST_GAP, "{:?} without a connection", client.longest_gap());
    }
    assert_eq!(report.writers.refused, 0, "commands were refused");
    assert_eq!(report.writers.open, 0, "the fate of commands stayed open");
}
