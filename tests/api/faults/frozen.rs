//! Postgres stands still, and goes on.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    load::{Load, ada},
    postgres::Reader,
};
use crate::support::World;

/// Every process that works in this folder.
pub(super) fn working_in(folder: &Path) -> Vec<Pid> {
    let folder = fs::canonicalize(folder).expect("a folder");
    let pids = fs::read_dir("/proc").expect("processes").filter_map(|entry| {
        let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let cwd = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        (cwd == folder).then(|| Pid::from_raw(pid))
    });
    pids.collect()
}

/// A Postgres whose processes stand still; they go on when this is dropped.
struct Frozen(Vec<Pid>);

impl Frozen {
    /// The postmaster first, so that it cannot start any more.
    fn freeze(postmaster: u32, data: &Path) -> Self {
        let postmaster = Pid::from_raw(i32::try_from(postmaster).expect("a pid"));
        kill(postmaster, Signal::SIGSTOP).expect("a postmaster");
        let mut frozen = Self(vec![postmaster]);
        for pid in working_in(data) {
            // It may have ended meanwhile.
            if kill(pid, Signal::SIGSTOP).is_ok() {
                frozen.0.push(pid);
            }
        }
        frozen
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

#[tokio::test]
async fn a_frozen_postgres_sheds_load_and_recovers() {
    let world = World::with_own_postgres().await;
    let server = world.server_with(&[], &[("WORKROOM_REQUEST_TIMEOUT_SECONDS", "12")]).await;
    let (ada, projects) = ada(&server).await;
    let postgres = world.services().postgres().expect("a Postgres of one's own");
    let mut load = Load::begin(&server, &ada, &projects);
    let reader = Reader::begin(&ada, format!("/projects/{}", projects[0]));
    load.goes_on(100).await;
    let frozen = Frozen::freeze(postgres.pid().expect("a running Postgres"), &postgres.data_dir());
    let since = Instant::now();
    let not_ready = ada.get("//ready").await.problem(503);
    assert!(not_ready.json["detail"].as_str().expect("a detail").contains("postgres"), "{}", not_ready.text);
    assert!(since.elapsed() < Duration::from_secs(6), "{:?} to notice", since.elapsed());
    load.is_refused(12).await;
    eprintln!("refused after {:?}", since.elapsed());
    // Reads, too: the time that a request may take is over, and that is not the client's fault.
    reader.is_refused().await;
    drop(frozen);
    let thawed = Instant::now();
    load.goes_on(100).await;
    eprintln!("recovered after {:?}", thawed.elapsed());
    reader.end().await;
    let pool = world.pool().await;
    load.end(&world, &pool).await;
}
