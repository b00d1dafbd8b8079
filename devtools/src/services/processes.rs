//! The processes that a killed instance may have left behind for a moment, found by the folder they work in.
//!
//! Postgres and NATS are both started in their own data folder; so "does anybody still use this data" has an answer that
//! a recycled process id cannot falsify. (A shell that somebody has opened there is neither waited for nor harmed.)

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// After this long they are asked to shut down: one that died at the wrong moment did not pass its death on.
const REMINDER: Duration = Duration::from_millis(500);
/// How long the servers of a killed instance get to shut down on their own.
const PATIENCE: Duration = Duration::from_secs(15);

/// The ids of the servers whose working folder is `folder`; none where the system cannot tell.
pub fn working_in(folder: &Path) -> Vec<i32> {
    let Ok(folder) = fs::canonicalize(folder) else { return Vec::new() };
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder))
        .filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| is_server(&name)))
        .collect()
}

fn is_server(name: &str) -> bool {
    name.starts_with("postgres") || name.starts_with("nats")
}

fn send(pids: &[i32], signal: Signal) {
    for pid in pids {
        // It may have ended meanwhile.
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

/// Waits until no server works in `folder`; one that stays is asked to shut down, and in the end killed.
pub async fn wait_until_unused(folder: &Path) -> anyhow::Result<()> {
    let start = Instant::now();
    let (mut asked, mut killed) = (false, false);
    loop {
        let pids = working_in(folder);
        if pids.is_empty() {
            return Ok(());
        }
        if start.elapsed() > REMINDER && !asked {
            asked = true;
            send(&pids, Signal::SIGINT);
        }
        if start.elapsed() > PATIENCE && !killed {
            killed = true;
            send(&pids, Signal::SIGKILL);
        }
        if start.elapsed() > PATIENCE * 2 {
            bail!(
                "process {} still uses {} and cannot be ended",
                pids.first().copied().unwrap_or_default(),
                folder.display()
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
