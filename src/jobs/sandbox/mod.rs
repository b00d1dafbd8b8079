//! Running other people's code: the sandbox of code-execution jobs.
//!
//! Code is hostile until proven otherwise, and it cannot be proven. So it runs in namespaces of its own without
//! network, on a read-only system that holds what its language needs ([`view`]), as an unprivileged user of its own, behind
//! a list of allowed system calls ([`seccomp`]), with bounded memory, processes, files, output and time. Where that cannot
//! be had, [`Sandbox::probe`] says why, and code jobs are refused: nothing here ever runs code bare.
//!
//! The way of one execution:
//!
//! ```text
//! started.rs ── pipes, cgroup ──► the launcher, a program of its own (launcher.rs, and `launcher/` of the project)
//!   │                               │ joins the cgroups, sets rlimits, becomes a user that no other sandbox has, starts
//!   │                               └─► process 1 inside: makes the world, gives up every right, waits for the program
//! waiting.rs: some of these wait ready, for each language that is used
//!   │
//! run.rs ── an order (execution.rs) ──► the launcher writes the files, and process 1 starts the interpreter
//!   │ ◄── output (output.rs), how it ended, artifacts ──
//!   └─ lets go, reaps, reads which limits were hit, removes the cgroup
//! ```
//!
//! Orders go through a pipe whose one end only the worker has. When the worker lets go of it, by will or by dying in
//! whatever way, the launcher kills process 1 of the sandbox, and the kernel everything in there. When the launcher dies, process 1
//! sees the end of its own orders, or is killed with it.
//!
//! Known escapes taken into account: host code that follows a symlink left by the program (CVE-2024-28185,
//! CVE-2024-28189 in Judge0; only artifacts are read back, when all of the sandbox is dead, by a process without rights,
//! over no link), terminal injection through `TIOCSTI` (CVE-2017-5226), kernel surface behind user namespaces
//! (there can be none below the sandbox's), hypervisor sockets (`AF_VSOCK` is not namespaced).
//!
//! To add a language: a setting (`docs/sandbox.md`). A call that it needs and that is not in [`seccomp`]'s list of what may
//! be added goes there.

mod cgroup;
mod check;
mod config;
mod execution;
mod language;
mod launcher;
mod output;
mod probe;
mod run;
mod seccomp;
mod started;
mod view;
mod waiting;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

pub use self::{
    config::{SandboxConfig, UseCgroups},
    execution::{Artifact, Execution, LimitHit, Outcome, SandboxError, SourceFile, Stream},
    language::{InvalidLanguage, Language, LanguageSettings, Languages, Sight},
    probe::{Description, LimitsBy, Unusable},
    seccomp::FilterError,
};

use self::{cgroup::Controllers, launcher::Launcher, view::View, waiting::Waiting};

/// Numbers of the system calls, on this machine, that programs in a language may make with some or any arguments.
pub fn allowed_calls(language: &Language) -> Result<BTreeSet<i64>, FilterError> {
    seccomp::allowed(&language.calls)
}

/// A sandbox that has been tried and works. Cheap to clone; any number of executions may run at once.
#[derive(Clone, Debug)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: SandboxConfig,
    launcher: Launcher,
    /// Before the views: what waits uses them.
    waiting: Waiting,
    languages: BTreeMap<String, (Language, View)>,
    controllers: Option<Controllers>,
    remark: Option<String>,
}

impl Sandbox {
    /// Removes what ended workers of this host have left, and ends what waits for programs in languages that nobody uses any
    /// more. To be called now and then.
    pub async fn sweep(&self) {
        self.inner.end_unused().await;
        let inner = Arc::clone(&self.inner);
        let swept = tokio::task::spawn_blocking(move || {
            if let Some(controllers) = &inner.controllers {
                controllers.clean_up();
            }
            view::sweep(&inner.config);
        });
        if let Err(error) = swept.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what ended workers have left was not removed");
        }
    }

    /// Ends the sandboxes that wait, and waits until nothing is left of them. Programs can still be run; each starts a sandbox
    /// of its own.
    pub async fn close(&self) {
        self.inner.end_waiting().await;
    }
}

fn host(step: &'static str) -> impl Fn(io::Error) -> SandboxError {
    move |source| SandboxError::Host { step, source }
}
