//! Running other people's code: the sandbox of code-execution jobs.
//!
//! Code is hostile until proven otherwise, and it cannot be proven. So it runs in [bubblewrap] namespaces without
//! network, on a read-only system that holds what its language needs ([`view`]), as an unprivileged user of its own, behind
//! a list of allowed system calls ([`seccomp`]), with bounded memory, processes, files, output and time. Where that cannot be had, [`Sandbox::probe`] says why, and code jobs are refused: nothing
//! here ever runs code bare.
//!
//! The way of one execution:
//!
//! ```text
//! run.rs ── pipes, timer, cgroup ──► our own binary, `workroom sandbox-launch` (launch.rs)
//!   │                                  │ joins the cgroups, or watches the memory itself (watch.rs),
//!   │                                  │ sets rlimits, becomes a user that no other sandbox has, starts
//!   │                                  └─► bwrap (bubblewrap.rs, seccomp.rs) ─► python3 | node | bash
//!   └─ lets go of the lifeline, reaps, reads which limits were hit, removes the cgroup
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
//! To add a language: a variant of [`Language`] with its file name, interpreters and trial program; what it sees beside
//! interpreter and libraries in [`view`]; what it calls beside the common calls in [`seccomp`].
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
mod view;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use self::{
    config::{Language, SandboxConfig, UnknownLanguage, UseCgroups},
    launch::{LaunchError, launch},
    plan::LaunchArgs,
    probe::{Description, LimitsBy, Unusable},
    run::{Execution, LimitHit, Outcome, SandboxError},
    seccomp::FilterError,
};

use self::{cgroup::Controllers, view::View};

/// Numbers of the system calls, on this machine, that programs in a language may make with some or any arguments.
pub fn allowed_calls(language: Language) -> Result<BTreeSet<i64>, FilterError> {
    seccomp::allowed(language)
}

/// A sandbox that has been tried and works. Cheap to clone; any number of executions may run at once.
#[derive(Clone, Debug)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    config: SandboxConfig,
    views: BTreeMap<Language, View>,
    controllers: Option<Controllers>,
    bwrap_version: String,
    remark: Option<String>,
}
