//! The group of one execution.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Controllers, Limits};

/// The sandbox's own: the launcher's three threads, and process 1 inside.
const OVERHEAD: u64 = 4;
/// How often removal is tried, at growing intervals: some three seconds in all.
const MAX_ATTEMPTS: u32 = 40;

/// A group; dropped, its processes are killed and its folders removed.
#[derive(Debug)]
pub(in super::super) struct Group {
    folders: Vec<PathBuf>,
}

/// What a group tells after the execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct LimitEvents {
    /// The kernel killed a process of the group for want of memory.
    pub out_of_memory: bool,
    /// A process or thread could not be started.
    pub out_of_processes: bool,
}

impl Group {
    pub(super) fn make(controllers: &Controllers, name: &str, limits: Limits) -> io::Result<Self> {
        // Made whole or not at all: what is there so far is dropped on an error.
        let mut group = Self { folders: Vec::new() };
        for folder in controllers.folders() {
            let folder = folder.join(name);
            fs::create_dir(&folder)?;
            group.folders.push(folder);
        }
        match controllers {
            Controllers::V2 { .. } => limit_v2(&group.folders[0], limits)?,
            Controllers::V1 { .. } => limit_v1(&group.folders[0], &group.folders[1], limits)?,
        }
        Ok(group)
    }

    /// A group of that name from an earlier worker.
    pub(super) fn existing(controllers: &Controllers, name: &str) -> Self {
        let folders = controllers.folders().into_iter().map(|folder| folder.join(name));
        Self { folders: folders.filter(|folder| folder.is_dir()).collect() }
    }

    /// Files to which a process of one thread writes `0` to join. In version 1 the list of threads: a thread that moves
    /// itself there waits for nobody, while the list of processes takes a lock of all processes of the host (4 to 22 ms).
    pub(in super::super) fn joins(&self) -> Vec<PathBuf> {
        let join = |folder: &PathBuf| {
            let threads = folder.join("tasks");
            if threads.exists() { threads } else { folder.join("cgroup.procs") }
        };
        self.folders.iter().map(join).collect()
    }

    /// Kills every process: at once in version 2, one by one in version 1, where the end of the process namespace is
    /// what a fork bomb cannot outrun.
    pub(in super::super) fn kill(&self) {
        for folder in &self.folders {
            if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
                continue;
            }
            let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            for member in members.lines().filter_map(|line| line.parse().ok()).filter(|&pid: &i32| pid > 0) {
                // Already gone is as good.
                let _ = kill(Pid::from_raw(member), Signal::SIGKILL);
            }
        }
    }

    /// What has happened so far.
    pub(in super::super) fn limit_events(&self) -> LimitEvents {
        let any = |file: &str, key: &str| self.folders.iter().any(|folder| count(&folder.join(file), key) > 0);
        LimitEvents {
            out_of_memory: any("memory.events", "oom_kill") || any("memory.oom_control", "oom_kill"),
            out_of_processes: any("pids.events", "max"),
        }
    }

    /// Kills what is left and removes the folders, waiting for the last process to be gone.
    pub(in super::super) async fn remove(mut self) {
        for attempt in 1..=MAX_ATTEMPTS {
            if self.try_remove().is_ok() {
                return;
            }
            self.kill();
            tokio::time::sleep(pause(attempt)).await;
        }
    }

    /// Removes the folders of a group that nobody has joined.
    pub(super) fn discard(mut self) -> io::Result<()> {
        self.try_remove()
    }

    fn try_remove(&mut self) -> io::Result<()> {
        while let Some(folder) = self.folders.last() {
            match fs::remove_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => drop(self.folders.pop()),
            }
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.folders.is_empty() {
            return;
        }
        self.kill();
        if self.try_remove().is_ok() {
            return;
        }
        // Given up in the middle: its processes are dying, and only then the folders can go.
        let mut rest = Self { folders: std::mem::take(&mut self.folders) };
        let waiting = thread::Builder::new().name("cgroup-removal".to_owned()).spawn(move || {
            for attempt in 1..=MAX_ATTEMPTS {
                thread::sleep(pause(attempt));
                rest.kill();
                if rest.try_remove().is_ok() {
                    return;
                }
            }
            // Left for the clean-up of the next start.
            tracing::warn!(folders = ?rest.folders, "cgroup cannot be removed");
            rest.folders.clear();
        });
        if let Err(error) = waiting {
            tracing::warn!(%error, "cgroup is left behind");
        }
    }
}

fn pause(attempt: u32) -> Duration {
    Duration::from_millis(u64::from(attempt.min(10) * attempt.min(10)))
}

fn limit_v2(folder: &Path, limits: Limits) -> io::Result<()> {
    fs::write(folder.join("memory.max"), limits.memory_bytes.to_string())?;
    if_there(&folder.join("memory.swap.max"), "0")?;
    // A program of which some part was killed is of no use; the whole of it goes.
    if_there(&folder.join("memory.oom.group"), "1")?;
    fs::write(folder.join("pids.max"), (limits.processes + OVERHEAD).to_string())
}

fn limit_v1(memory: &Path, pids: &Path, limits: Limits) -> io::Result<()> {
    let bytes = limits.memory_bytes.to_string();
    fs::write(memory.join("memory.limit_in_bytes"), &bytes)?;
    // Memory and swap together; not there when the kernel does not count swap.
    if_there(&memory.join("memory.memsw.limit_in_bytes"), &bytes)?;
    if_there(&memory.join("memory.swappiness"), "0")?;
    fs::write(pids.join("pids.max"), (limits.processes + OVERHEAD).to_string())
}

fn if_there(file: &Path, value: &str) -> io::Result<()> {
    if file.exists() { fs::write(file, value) } else { Ok(()) }
}

/// The number behind a key in a file of `key number` lines; none is 0.
fn count(file: &Path, key: &str) -> u64 {
    let lines = fs::read_to_string(file).unwrap_or_default();
    let found = lines.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok());
    found.unwrap_or(0)
}
