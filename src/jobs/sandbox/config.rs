//! What the sandbox may use, and the languages it knows.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

const MIB: u64 = 1024 * 1024;

/// Where the sandbox's programs are, and how much one execution may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxConfig {
    /// The bubblewrap program; there is no default.
    pub bwrap: PathBuf,
    /// The `workroom` binary, started as `sandbox-launch`. The default, `/proc/self/exe`, is the running program itself,
    /// and stays right when the file on disk is replaced.
    pub launcher: PathBuf,
    /// Whether limits are enforced by cgroups.
    pub cgroups: UseCgroups,
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
    /// First of the users, and groups, that programs run as when the worker is root. Each running program has one of its
    /// own, the next that no other worker of this host uses.
    pub first_uid: u32,
    /// Where a folder is made for what programs see of the system; the first usable one of `TMPDIR`, `/var/tmp` and `/dev/shm`
    /// when not given.
    pub folder: Option<PathBuf>,
    /// Further folders of the host that programs see, read-only; not below those that are a program's own, such as `/tmp`.
    pub mounts: Vec<PathBuf>,
}

/// Users from the first on that may be taken.
pub(super) const USERS: u32 = 4096;

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            bwrap: PathBuf::new(),
            launcher: PathBuf::from("/proc/self/exe"),
            cgroups: UseCgroups::Auto,
            memory_bytes: 256 * MIB,
            processes: 64,
            open_files: 256,
            file_size_bytes: 64 * MIB,
            workdir_bytes: 64 * MIB,
            output_bytes: 64 * 1024,
            // Above the users of a distribution and systemd's dynamic ones, below where subordinate ids begin (100 000).
            first_uid: 70_000,
            folder: None,
            mounts: Vec::new(),
        }
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

/// A language that code can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Python, run by `python3`.
    Python,
    /// JavaScript, run by `node`.
    Javascript,
    /// Bash, run by `bash`.
    Bash,
}

impl Language {
    /// Every language, in the order in which the sandbox tries them.
    pub const ALL: [Self; 3] = [Self::Python, Self::Javascript, Self::Bash];

    /// Its name in requests and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Javascript => "javascript",
            Self::Bash => "bash",
        }
    }

    /// Where its interpreter may be: system folders only, since only they exist inside.
    pub(super) fn interpreters(self) -> impl Iterator<Item = PathBuf> {
        let name = match self {
            Self::Python => "python3",
            Self::Javascript => "node",
            Self::Bash => "bash",
        };
        ["/usr/bin", "/usr/local/bin", "/bin"].into_iter().map(move |folder| PathBuf::from(folder).join(name))
    }

    /// The interpreter's arguments before the file. Python is unbuffered, so that a program that is stopped has said
    /// what it said.
    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["-u", "-B"],
            Self::Javascript | Self::Bash => &[],
        }
    }

    /// The file that the code becomes.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Python => "/workspace/main.py",
            Self::Javascript => "/workspace/main.js",
            Self::Bash => "/workspace/main.sh",
        }
    }

    /// A program that prints `ready`.
    pub(super) fn trial(self) -> &'static str {
        match self {
            Self::Python => "print('ready')",
            Self::Javascript => "console.log('ready')",
            Self::Bash => "echo ready",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A name that is no [`Language`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown language {0:?}")]
pub struct UnknownLanguage(pub String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|language| language.as_str() == name).ok_or_else(|| UnknownLanguage(name.to_owned()))
    }
}
