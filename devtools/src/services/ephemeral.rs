//! Folders of instances that live as long as one process.
//!
//! Each has its own lock, which the kernel releases when the process dies. So a later start knows which ones were left
//! behind, without trusting process ids, and removes them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::processes;
use crate::folder::{DataFolder, FolderLock, MARKER, random_hex, try_lock};

/// A locked temporary data folder; removed when dropped.
#[derive(Debug)]
pub struct Ephemeral {
    folder: DataFolder,
    _lock: FolderLock,
}

impl Ephemeral {
    /// Removes the folders of dead processes, then makes a new one in the shared data folder.
    pub fn create(shared: &DataFolder) -> anyhow::Result<Self> {
        clean_up(&shared.ephemeral());
        loop {
            let name = format!("{}-{}", std::process::id(), random_hex::<4>()?);
            let folder = DataFolder::open(&shared.ephemeral().join(name))?;
            // Between its making and its locking another process's clean-up may take it for an abandoned one.
            if let Some(lock) = try_lock(folder.root())? {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// Kills the servers that still run in the folder, and waits up to two seconds until they are gone.
    pub fn end_processes(&self) {
        end_processes(self.folder.root(), Duration::from_secs(2));
    }
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        remove(self.folder.root());
    }
}

fn end_processes(root: &Path, limit: Duration) -> bool {
    let start = Instant::now();
    loop {
        let pids: Vec<i32> =
            ["postgres", "nats"].iter().flat_map(|part| processes::working_in(&root.join(part))).collect();
        if pids.is_empty() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        for pid in pids {
            // It may have ended meanwhile.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder without a lock file is one that another process is just making, or has half removed: it is left alone.
fn clean_up(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        let abandoned =
            path.join(MARKER).is_file() && path.join("lock").is_file() && matches!(try_lock(&path), Ok(Some(_)));
        if abandoned && end_processes(&path, Duration::from_secs(2)) {
            remove(&path);
        }
    }
}

/// Removes the lock last, so that a removal that is broken off is taken up by the next sweep.
fn remove(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_name() != "lock" && entry.file_name() != MARKER {
            // What cannot be removed now is removed by a later clean-up.
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
    let _ = fs::remove_dir_all(root);
}
