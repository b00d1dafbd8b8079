//! Control groups: the only limits that hold for all processes of an execution together.
//!
//! Every execution gets a group of its own below the worker's, named after the worker, so that a later worker can tell
//! which ones were left behind. Version 2 is used where it has the controllers, version 1 elsewhere:
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>, <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>.

mod detect;
mod group;

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

pub(super) use self::group::{Group, LimitEvents};

/// The first part of a group's name: `workroom-job.<process namespace>.<pid>.<start time>.<number>`.
const PREFIX: &str = "workroom-job";

/// Where groups are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Controllers {
    /// One tree with all controllers; its folder is the worker's own or the one above.
    V2 { parent: PathBuf },
    /// A tree a controller.
    V1 { memory: PathBuf, pids: PathBuf },
}

/// Limits of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub memory_bytes: u64,
    pub processes: u64,
}

impl Controllers {
    /// Finds groups that this process may make.
    ///
    /// # Errors
    /// A sentence for the operator, when there are none.
    pub(super) fn detect(limits: Limits) -> Result<Self, String> {
        let found = detect::controllers(&detect::System::read()?)?;
        let refused = |error: io::Error| format!("cgroups cannot be made: {error}");
        found.clean_up();
        found.group(limits).map_err(refused)?.discard().map_err(refused)?;
        Ok(found)
    }

    /// Makes a group.
    pub(super) fn group(&self, limits: Limits) -> io::Result<Group> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let pid = std::process::id();
        let started = start_time(pid).ok_or_else(|| io::Error::other("own start time is unreadable"))?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}.{}.{pid}.{started}.{number}", namespace()?);
        Group::make(self, &name, limits)
    }

    /// Kills and removes what ended workers have left.
    pub(super) fn clean_up(&self) {
        let folders = self.folders();
        let names = fs::read_dir(folders[0])
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        // The other tree of version 1 may hold a name that the first has lost.
        let others = folders[1..].iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten());
        let others = others.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        for name in names.chain(others).filter(|name| left_behind(name)) {
            tracing::warn!(group = name, "removing the cgroup of a sandbox whose worker is gone");
            drop(Group::existing(self, &name));
        }
    }

    fn folders(&self) -> Vec<&Path> {
        match self {
            Self::V2 { parent } => vec![parent],
            Self::V1 { memory, pids } => vec![memory, pids],
        }
    }
}

/// Whether a name is a group's, and its worker has ended. Of workers in other process namespaces nothing is known here.
fn left_behind(name: &str) -> bool {
    let mut parts = name.split('.');
    let (Some(PREFIX), Some(of), Some(pid), Some(started)) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let own = namespace().is_ok_and(|own| own.to_string() == of);
    own && pid.parse().is_ok_and(|pid| start_time(pid).as_deref() != Some(started))
}

/// The number of the process namespace of this process, in which ids of processes mean something.
fn namespace() -> io::Result<u64> {
    Ok(fs::metadata("/proc/self/ns/pid")?.ino())
}

/// When a process was started, in ticks since boot: with its id, it names a process for good (field 22 of proc(5)'s
/// `stat`, counted after the name in parentheses).
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_belongs_to_a_process_not_to_a_number() {
        let (pid, own) = (std::process::id(), namespace().expect("a namespace"));
        let started = start_time(pid).expect("a start time");
        assert!(!left_behind(&format!("{PREFIX}.{own}.{pid}.{started}.0")), "alive");
        assert!(left_behind(&format!("{PREFIX}.{own}.{pid}.1.0")), "another process had this number");
        assert!(left_behind(&format!("{PREFIX}.{own}.4194305.1.0")), "no such process");
        assert!(!left_behind(&format!("{PREFIX}.1.4194305.1.0")), "not known here");
        assert!(!left_behind("system.slice"), "not ours");
    }

    /// Where cgroups cannot be had there is nothing to sweep.
    #[test]
    fn what_a_killed_worker_left_is_killed_and_removed() {
        let limits = Limits { memory_bytes: 64 << 20, processes: 8 };
        let Ok(controllers) = Controllers::detect(limits) else { return };
        let name = format!("{PREFIX}.{}.4194305.1.0", namespace().expect("a namespace"));
        let group = Group::make(&controllers, &name, limits).expect("a group");
        let mut left = std::process::Command::new("sleep").arg("4008").spawn().expect("a process");
        for file in group.joins() {
            fs::write(file, left.id().to_string()).expect("joined");
        }
        std::mem::forget(group);

        controllers.clean_up();

        assert!(!left.wait().expect("an end").success());
        let gone = || controllers.folders().iter().all(|folder| !folder.join(&name).exists());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while !gone() {
            assert!(std::time::Instant::now() < deadline, "the group stays");
            std::thread::yield_now();
        }
    }
}
