//! What the sandbox may use.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::language::Languages;

const MIB: u64 = 1024 * 1024;

/// Where the sandbox's programs are, and how much one execution may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxConfig {
    /// The program that starts sandboxes. When not given, `workroom-launcher` beside the running program, or that itself.
    pub launcher: Option<PathBuf>,
    /// The languages that programs can be in, beside or instead of those that are built in.
    pub languages: Languages,
    /// Whether limits are enforced by cgroups.
    pub cgroups: UseCgroups,
    /// Sandboxes of each language that wait ready for a program, from the first program of the language on.
    pub waiting: usize,
    /// Memory of an execution in bytes, its files in `/workspace` and `/tmp` included.
    pub memory_bytes: u64,
    /// Processes and threads at a time.
    pub processes: u64,
    /// Open files of a process.
    pub open_files: u64,
    /// Largest file, in bytes.
    pub file_size_bytes: u64,
    /// Size of `/workspace` in bytes; `/tmp` has the same.
    pub workdir_bytes: u64,
    /// Bytes kept of standard output, and as many of standard error; the rest is read and thrown away.
    pub output_bytes: usize,
    /// Bytes of both together beyond which the program is ended.
    pub output_limit_bytes: u64,
    /// The longest that an execution may take, whatever it asks for.
    pub longest: Duration,
    /// How long a program that is stopped may take to end by itself, after SIGTERM.
    pub stop_grace: Duration,
    /// First of the users, and groups, that programs run as when the worker is root. Each running program has one of its
    /// own, the next that no other worker of this host uses.
    pub first_uid: u32,
    /// Where a folder is made for what programs see of the system; the first usable one of `TMPDIR`, `/var/tmp` and `/dev/shm`
    /// when not given.
    pub folder: Option<PathBuf>,
    /// Further folders of the host that programs see, read-only; not below those that are a program's own, such as `/tmp`.
    pub mounts: Vec<PathBuf>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            launcher: None,
            languages: Languages::default(),
            cgroups: UseCgroups::Auto,
            waiting: 2,
            memory_bytes: 256 * MIB,
            processes: 64,
            open_files: 256,
            file_size_bytes: 64 * MIB,
            workdir_bytes: 64 * MIB,
            output_bytes: 64 * 1024,
            output_limit_bytes: 64 * MIB,
            longest: Duration::from_mins(5),
            stop_grace: Duration::from_millis(50),
            // Above the users of a distribution and systemd's dynamic ones, below where subordinate ids begin (100 000).
            first_uid: 70_000,
            folder: None,
            mounts: Vec::new(),
        }
    }
}

impl SandboxConfig {
    /// Most bytes of all files of a program together: half of the work directory is left to what it writes.
    #[must_use]
    pub fn files_bytes(&self) -> u64 {
        self.workdir_bytes / 2
    }
}

/// Whether limits are enforced by cgroups. Without them the memory of an execution is bounded by looking at it, which a
/// quick program can exceed for some milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UseCgroups {
    /// Without them code is refused.
    Required,
    /// Where they can be had; [`Description`](super::Description) says whether.
    #[default]
    Auto,
    /// Not even where they can be had.
    Never,
}
