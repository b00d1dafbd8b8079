//! What the worker tells the launcher before the program is known.

use std::{os::fd::RawFd, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Arguments of a launcher: `sandbox-launch --plan …`. Only the worker writes them.
#[derive(Clone, Debug)]
pub struct LaunchArguments {
    /// The plan, as JSON. It names no secret: arguments of a process can be read by anyone on the host.
    pub plan: String,
}

impl LaunchArguments {
    /// The first argument.
    pub const COMMAND: &str = "sandbox-launch";

    /// Reads the arguments of a process that is to be a launcher; `None` if it is to be something else.
    pub(crate) fn read(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<Self> {
        arguments.nth(1).filter(|command| command == Self::COMMAND)?;
        arguments.next().filter(|option| option == "--plan")?;
        Some(Self { plan: arguments.next()?.into_string().ok()? })
    }
}

/// Users from the first on that may be taken.
pub const USERS: u32 = 4096;

/// One sandbox, as the launcher needs it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The worker's process id.
    pub parent: i32,
    /// The worker's [`BUILD`](crate::BUILD): a launcher of another one refuses.
    pub build: String,
    /// The worker's pipe from which the launcher reads orders.
    pub control: Pipe,
    /// The worker's pipe to which the launcher writes messages.
    pub report: Pipe,
    /// The folder that becomes `/`.
    pub root: PathBuf,
    /// What of the host is mounted at its own place, read-only.
    pub mounts: Vec<PathBuf>,
    /// The list of allowed system calls: an array of `struct sock_filter`.
    pub filter: PathBuf,
    /// Files of cgroups by which to join; empty where there are none.
    pub cgroups: Vec<PathBuf>,
    /// Memory of all of it together, its files included.
    pub memory_bytes: u64,
    /// Processes and threads at a time.
    pub processes: u64,
    /// Open files of a process.
    pub open_files: u64,
    /// The largest file.
    pub file_size_bytes: u64,
    /// Size of the work directory; `/tmp` has the same.
    pub workdir_bytes: u64,
    /// Processor time of a process.
    pub cpu_seconds: u64,
    /// The first of the users of which root becomes one.
    pub first_uid: u32,
}

/// An end of a pipe of the worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pipe {
    /// Its descriptor there.
    pub number: RawFd,
    /// The pipe's own number: should the descriptor be another's by now, the launcher is not wanted any more.
    pub inode: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launcher_is_told_by_its_arguments() {
        let read = |words: &[&str]| LaunchArguments::read(words.iter().map(Into::into)).map(|args| args.plan);
        assert_eq!(read(&["workroom", "sandbox-launch", "--plan", "{}"]).as_deref(), Some("{}"));
        for other in [&["workroom"][..], &["workroom", "serve"], &["workroom", "sandbox-launch"]] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
