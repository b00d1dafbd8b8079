//! What the worker tells the launcher before the program is known.

use std::{os::fd::RawFd, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Arguments of the hidden subcommand `sandbox-launch`. Only the worker writes them.
#[derive(Clone, Debug, clap::Args)]
pub struct LaunchArgs {
    /// The plan, as JSON. It names no secret: arguments of a process can be read by anyone on the host.
    #[arg(long)]
    pub plan: String,
}

impl LaunchArgs {
    /// The name of the subcommand.
    pub(super) const COMMAND: &str = "sandbox-launch";

    /// Reads the arguments of a process that is to be a launcher; `None` if it is to be something else. It spares the time
    /// in which all other commands are put together.
    pub fn read(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<Self> {
        arguments.nth(1).filter(|command| command == Self::COMMAND)?;
        arguments.next().filter(|option| option == "--plan")?;
        Some(Self { plan: arguments.next()?.into_string().ok()? })
    }
}

/// One sandbox, as the launcher needs it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The worker's process id.
    pub parent: i32,
    /// The worker's pipe from which the launcher reads orders.
    pub control: Pipe,
    /// The worker's pipe to which the launcher writes messages.
    pub report: Pipe,
    pub bwrap: PathBuf,
    /// The folder that becomes `/`.
    pub root: PathBuf,
    /// What of the host is mounted at its own place, read-only.
    pub mounts: Vec<PathBuf>,
    /// The list of allowed system calls, as bubblewrap reads it.
    pub filter: PathBuf,
    /// Files of cgroups by which to join; empty where there are none.
    pub cgroups: Vec<PathBuf>,
    pub memory_bytes: u64,
    pub processes: u64,
    pub open_files: u64,
    pub file_size_bytes: u64,
    pub workdir_bytes: u64,
    pub cpu_seconds: u64,
    /// The first of the users of which root becomes one.
    pub first_uid: u32,
}

/// An end of a pipe of the worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Pipe {
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
        let read = |words: &[&str]| LaunchArgs::read(words.iter().map(Into::into)).map(|args| args.plan);
        assert_eq!(read(&["workroom", "sandbox-launch", "--plan", "{}"]).as_deref(), Some("{}"));
        for other in [&["workroom"][..], &["workroom", "serve"], &["workroom", "sandbox-launch"]] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
