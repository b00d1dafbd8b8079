//! A program that runs to its end: how long it took, and the most memory that it had.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{process::Command, time::interval};

/// How often its memory is read. What the kernel tells is the most so far, so only the last moments can be missed.
const OFTEN: Duration = Duration::from_millis(10);

/// What a run took.
pub struct Run {
    pub took: Duration,
    /// The most memory that was resident, in MiB (Linux only).
    pub peak_mib: Option<f64>,
}

/// Runs it. What it says on stderr goes where the benchmark's own does.
///
/// # Errors
/// It cannot be started, or fails.
pub async fn run(command: &mut Command) -> anyhow::Result<Run> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).kill_on_drop(true).spawn().context("a program cannot be started")?;
    let status_file = format!("/proc/{}/status", child.id().context("it has ended")?);
    let mut peak_mib = None;
    let mut ticks = interval(OFTEN);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = ticks.tick() => peak_mib = high_water(Path::new(&status_file)).or(peak_mib),
        }
    };
    let took = begun.elapsed();
    ensure!(status.success(), "{} failed: {status}", command.as_std().get_program().display());
    Ok(Run { took, peak_mib })
}

/// The most memory that a process had, in MiB.
fn high_water(status: &Path) -> Option<f64> {
    let status = std::fs::read_to_string(status).ok()?;
    let kib: f64 = field(&status, "VmHWM:")?.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name))
}

/// A program that is kept on one core, if this system can do so.
pub async fn on_one_core(program: &Path) -> (Command, bool) {
    if let Some(core) = first_core()
        && Command::new("taskset")
            .args(["-c", core.as_str(), "true"])
            .stdin(Stdio::null())
            .status()
            .await
            .is_ok_and(|s| s.success())
    {
        let mut command = Command::new("taskset");
        command.args(["-c", core.as_str()]).arg(program);
        return (command, true);
    }
    (Command::new(program), false)
}

/// The first core that this process may run on.
fn first_core() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = field(&status, "Cpus_allowed_list:")?.trim();
    list.split([',', '-']).next().map(str::to_owned)
}
