//! What the worker tells the launcher.

use std::{
    fs::File,
    io,
    os::{fd::RawFd, unix::fs::FileExt},
    path::PathBuf,
};

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
    /// The worker's descriptor of the lifeline's reading end.
    pub lifeline_fd: RawFd,
    pub bwrap: PathBuf,
    /// The folder that becomes `/`.
    pub root: PathBuf,
    /// What of the host is mounted at its own place, read-only.
    pub mounts: Vec<PathBuf>,
    pub interpreter: PathBuf,
    pub language: Language,
    /// `cgroup.procs` files to join; empty where there are none.
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

/// What bubblewrap and the launcher write to the status file: several JSON objects, each telling something more.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Report {
    /// Process 1 of the sandbox, by its number outside.
    pub child_pid: Option<i32>,
    /// Exit code of a program that was really started.
    pub exit_code: Option<i32>,
    /// The launcher killed it for its memory.
    pub out_of_memory: bool,
    /// The launcher killed it because its memory cannot be watched.
    pub unwatched: bool,
}

impl Report {
    /// Reads what is there so far.
    pub(super) fn read(status: &File) -> io::Result<Self> {
        let mut text = [0; 4096];
        let length = status.read_at(&mut text, 0)?;
        let parts = serde_json::Deserializer::from_slice(&text[..length]).into_iter::<Self>().map_while(Result::ok);
        Ok(parts.fold(Self::default(), |known, part| Self {
            child_pid: known.child_pid.or(part.child_pid),
            exit_code: known.exit_code.or(part.exit_code),
            out_of_memory: known.out_of_memory || part.out_of_memory,
            unwatched: known.unwatched || part.unwatched,
        }))
    }
}
