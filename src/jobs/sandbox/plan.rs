//! What the worker tells the launcher.

use std::{os::fd::RawFd, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Language;

/// Arguments of the hidden subcommand `sandbox-launch`. Only the worker writes them.
#[derive(Clone, Debug, clap::Args)]
pub struct LaunchArgs {
    /// The plan, as JSON. It names no secret: arguments of a process can be read by anyone on the host.
    #[arg(long)]
    pub plan: String,
}

/// One execution, as the launcher needs it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The worker's process id.
    pub parent: i32,
    /// The worker's descriptor that holds the code.
    pub code_fd: RawFd,
    /// The worker's descriptor to which bubblewrap writes how it went.
    pub status_fd: RawFd,
    pub bwrap: PathBuf,
    pub interpreter: PathBuf,
    pub language: Language,
    /// `cgroup.procs` files to join; empty when limits are rlimits only.
    pub cgroups: Vec<PathBuf>,
    pub memory_bytes: u64,
    pub processes: u64,
    pub open_files: u64,
    pub file_size_bytes: u64,
    pub workdir_bytes: u64,
    pub cpu_seconds: u64,
    pub uid: u32,
    pub gid: u32,
}
