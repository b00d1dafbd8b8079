//! Processes of this machine, as `/proc` shows them (Linux only).

use std::{
    collections::HashMap,
    fs,
    time::{Duration, Instant},
};

use anyhow::ensure;

/// Linux tells processor time in these, on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;
/// How often it is looked whether processes are dead.
const LOOK: Duration = Duration::from_micros(500);
/// Looks in a row that must find none: one look is no picture of one moment, and may miss what is forked meanwhile.
const LOOKS: usize = 2;

fn ids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Processor time of a process and all that descends from it, also of those that have ended and were waited for.
pub fn tree_time(root: u32) -> Duration {
    let processes: HashMap<u32, (u32, u64)> = ids().filter_map(|id| Some((id, parent_and_ticks(id)?))).collect();
    let descends = |mut id: u32| {
        while id != root {
            match processes.get(&id) {
                Some((parent, _)) => id = *parent,
                None => return false,
            }
        }
        true
    };
    let ticks: u64 = processes.iter().filter(|(id, _)| descends(**id)).map(|(_, (_, ticks))| ticks).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// `proc_pid_stat(5)`: fields 4 (parent) and 14 to 17 (its own time and its children's), counted behind the name, which
/// is in parentheses.
fn parent_and_ticks(id: u32) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
    Some((fields.get(1)?.parse().ok()?, ticks))
}

/// How many processes have a word in their command line. One that is dead has none.
pub fn marked(mark: &str) -> usize {
    let has_mark = |line: &[u8]| line.windows(mark.len()).any(|window| window == mark.as_bytes());
    ids().filter_map(|id| fs::read(format!("/proc/{id}/cmdline")).ok()).filter(|line| has_mark(line)).count()
}

/// Waits until none is left that has a word in its command line, and returns when that was.
///
/// # Errors
/// It takes too long.
pub fn wait_for_death(mark: &str, patience: Duration) -> anyhow::Result<Instant> {
    let begun = Instant::now();
    let mut dead = Vec::with_capacity(LOOKS);
    while dead.len() < LOOKS {
        let left = marked(mark);
        if left == 0 {
            dead.push(Instant::now());
            continue;
        }
        dead.clear();
        ensure!(begun.elapsed() < patience, "{left} processes still live after {} s", patience.as_secs());
        std::thread::sleep(LOOK);
    }
    Ok(dead.first().copied().unwrap_or(begun))
}
