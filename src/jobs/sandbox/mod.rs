//! Running other people's code: the sandbox of code-execution jobs.
//!
//! Code is hostile until proven otherwise, and it cannot be proven. So it runs in [bubblewrap] namespaces without
//! network, on a read-only system, as an unprivileged user, behind a seccomp filter, with bounded memory, processes,
//! files, output and time. Where that cannot be had, [`Sandbox::probe`] says why, and code jobs are refused: nothing
//! here ever runs code bare.
//!
//! The way of one execution:
//!
//! ```text
//! run.rs ── pipes, timer, cgroup ──► our own binary, `workroom sandbox-launch` (launch.rs)
//!   │                                  │ joins the cgroups, sets rlimits, drops root, starts
//!   │                                  └─► bwrap (bubblewrap.rs, seccomp.rs) ─► python3 | node | bash
//!   └─ lets go of the lifeline, reaps, reads the verdict, removes the cgroup
//! ```
//!
//! The lifeline is a pipe whose one end only the worker has. When the worker lets go of it, by will or by dying in
//! whatever way, the launcher kills process 1 of the sandbox, and the kernel everything in there. (Death signals alone
//! do not do: bubblewrap sets its own late, and a worker killed a few milliseconds after the start left a sandbox
//! behind in one of sixty cases.)
//!
//! Why a launcher: what must happen between `fork` and `exec` would need unsafe code in a process full of threads;
//! a fresh process has one thread and may do it all safely. `main` must call [`launch`] before any thread starts.
//!
//! Known escapes taken into account: host code that follows a symlink left by the program (CVE-2024-28185,
//! CVE-2024-28189 in Judge0; nothing of the work directory is ever read back, it dies with its mount namespace),
//! terminal injection through `TIOCSTI` (CVE-2017-5226), kernel surface behind user namespaces (`--disable-userns`),
//! hypervisor sockets (`AF_VSOCK` is not namespaced).
//!
//! To add a language: a variant of [`Language`] with its file name, interpreters and trial program.
//!
//! [bubblewrap]: https://github.com/containers/bubblewrap

mod bubblewrap;
mod cgroup;
mod config;
mod launch;
mod output;
mod plan;
mod probe;
mod run;
mod seccomp;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

pub use self::{
    config::{Language, SandboxConfig, UnknownLanguage, UseCgroups},
    launch::{LaunchError, launch},
    plan::LaunchArgs,
    probe::{Description, LimitsBy, Unusable},
    run::{Execution, LimitHit, Outcome, SandboxError},
};

use self::cgroup::Controllers;

/// A sandbox that has been tried and works. Cheap to clone; any number of executions may run at once.
#[derive(Clone, Debug)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    config: SandboxConfig,
    interpreters: BTreeMap<Language, PathBuf>,
    controllers: Option<Controllers>,
    bwrap_version: String,
    remark: Option<String>,
}
