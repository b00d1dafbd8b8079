//! Finding out whether a sandbox can be had, by starting one.

use std::{
    collections::BTreeMap,
    fmt,
    future::pending,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;

use super::{
    Execution, Inner, Language, Sandbox, SandboxConfig, SandboxError, UseCgroups,
    cgroup::{Controllers, Limits},
    launcher::{self, Launcher},
    seccomp::SharedMemory,
    view::{Copies, Folder, View},
    waiting::Waiting,
};

/// A first start reads an interpreter from a cold disk.
const TRIAL: Duration = Duration::from_secs(20);

/// Why no code can be run on this host.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There is no program that starts sandboxes.
    #[error("the launcher of sandboxes cannot be opened as {path}")]
    NoLauncher {
        /// Where it was looked for.
        path: PathBuf,
        /// The error of opening it.
        source: io::Error,
    },
    /// Cgroups are required and cannot be had.
    #[error("no cgroups: {reason}")]
    NoCgroups {
        /// Why not, and what to do.
        reason: String,
    },
    /// There is no folder from which programs can be started by the sandbox's users (`WORKROOM_SANDBOX_FOLDER`).
    #[error("nowhere to lay out what programs see of the system")]
    NoFolder(#[source] io::Error),
    /// No interpreter is installed.
    #[error("no interpreter is installed in a system folder")]
    NoLanguage,
    /// No interpreter ran in the sandbox; usually the host forbids unprivileged user namespaces
    /// (`AppArmor`'s `kernel.apparmor_restrict_unprivileged_userns`, a container's seccomp profile) or masks `/proc`.
    #[error("nothing could be run in the sandbox")]
    NothingRuns(#[source] SandboxError),
}

/// A sandbox in words, for logs and readiness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// What can be run.
    pub languages: Vec<String>,
    /// What enforces the limits.
    pub limits: LimitsBy,
    /// What the operator should know, if anything.
    pub remark: Option<String>,
}

/// What enforces the limits on memory and processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitsBy {
    /// Control groups, version 2.
    CgroupV2,
    /// Control groups, version 1.
    CgroupV1,
    /// Limits of each process; the memory of an execution as a whole is bounded by looking at it.
    Rlimits,
}

impl fmt::Display for Description {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = match self.limits {
            LimitsBy::CgroupV2 => "cgroups (v2)",
            LimitsBy::CgroupV1 => "cgroups (v1)",
            LimitsBy::Rlimits => "rlimits and looking",
        };
        write!(formatter, "limits by {limits}, runs {}", self.languages.join(", "))?;
        self.remark.iter().try_for_each(|remark| write!(formatter, "; {remark}"))
    }
}

impl Sandbox {
    /// Tries the sandbox: starts a program of every language in it, with cgroups if they can be had. Removes what ended
    /// workers have left.
    ///
    /// # Errors
    /// When code cannot be run safely. It must then be refused.
    pub async fn probe(config: SandboxConfig) -> Result<Self, Unusable> {
        let path = match &config.launcher {
            Some(path) => path.clone(),
            None => launcher::path().await,
        };
        let launcher = Launcher::open(&path).map_err(|source| Unusable::NoLauncher { path, source })?;
        let limits = Limits { memory_bytes: config.memory_bytes, processes: config.processes };
        let found = match config.cgroups {
            UseCgroups::Never => Err("cgroups are switched off".to_owned()),
            UseCgroups::Auto | UseCgroups::Required => Controllers::detect(limits),
        };
        let (controllers, remark) = match found {
            Ok(controllers) => (Some(controllers), None),
            Err(reason) if config.cgroups == UseCgroups::Required => return Err(Unusable::NoCgroups { reason }),
            Err(reason) => (None, Some(reason)),
        };
        let folder = Arc::new(Folder::new(&config).map_err(Unusable::NoFolder)?);
        let shared = if controllers.is_some() { SharedMemory::Allowed } else { SharedMemory::Refused };
        // Nothing waits of what is only tried.
        let quiet = SandboxConfig { waiting: 0, ..config.clone() };
        let inner = |config: &SandboxConfig, languages| Inner {
            config: config.clone(),
            launcher: launcher.clone(),
            waiting: Waiting::default(),
            languages,
            controllers: controllers.clone(),
            remark: remark.clone(),
        };

        let mut failure = None;
        let mut working = BTreeMap::new();
        let mut copies = Copies::default();
        for (name, language) in config.languages.all() {
            for interpreter in language.places().filter(|path| path.exists()) {
                let laid_out =
                    lay_out(&config, &folder, (name.as_str(), &language), &interpreter, shared, copies).await;
                let tried = match laid_out {
                    Ok((view, kept)) => {
                        copies = kept;
                        let only = BTreeMap::from([(name.clone(), (language.clone(), view.clone()))]);
                        let trial = Self { inner: Arc::new(inner(&quiet, only)) };
                        trial.try_out(&name, &language).await.map(|()| view)
                    }
                    Err(source) => {
                        copies = Copies::default();
                        Err(SandboxError::Host { step: "laying out the system", source })
                    }
                };
                match tried {
                    Ok(view) => {
                        working.insert(name.clone(), (language.clone(), view));
                        break;
                    }
                    Err(error) => {
                        let reason = &error as &dyn std::error::Error;
                        tracing::warn!(language = %name, ?interpreter, reason, "does not run in the sandbox");
                        failure = Some(error);
                    }
                }
            }
        }
        if working.is_empty() {
            return Err(failure.map_or(Unusable::NoLanguage, Unusable::NothingRuns));
        }
        Ok(Self { inner: Arc::new(inner(&config, working)) })
    }

    /// The names of the languages that can be run.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.inner.languages.keys().map(String::as_str)
    }

    /// What was found.
    #[must_use]
    pub fn describe(&self) -> Description {
        Description {
            languages: self.languages().map(str::to_owned).collect(),
            limits: match self.inner.controllers {
                Some(Controllers::V2 { .. }) => LimitsBy::CgroupV2,
                Some(Controllers::V1 { .. }) => LimitsBy::CgroupV1,
                None => LimitsBy::Rlimits,
            },
            remark: self.inner.remark.clone(),
        }
    }

    async fn try_out(&self, name: &str, language: &Language) -> Result<(), SandboxError> {
        let execution = Execution::code(name, language.trial.clone(), TRIAL);
        let outcome = self.run(execution, pending(), |_, _| {}).await?;
        if outcome.exit_code == Some(0) && outcome.stdout == "ready\n" {
            return Ok(());
        }
        let detail = format!("the trial ended with {:?} and said {:?}", outcome.exit_code, outcome.stderr);
        Err(SandboxError::NotStarted { detail })
    }
}

/// Lays out what a language sees, on a thread that may wait for the disk.
async fn lay_out(
    config: &SandboxConfig,
    folder: &Arc<Folder>,
    (name, language): (&str, &Language),
    interpreter: &Path,
    shared: SharedMemory,
    mut copies: Copies,
) -> io::Result<(View, Copies)> {
    let (config, folder, interpreter) = (config.clone(), Arc::clone(folder), interpreter.to_owned());
    let (name, language) = (name.to_owned(), language.clone());
    let work = tokio::task::spawn_blocking(move || {
        let view = folder.lay_out(&config, &name, &language, &interpreter, shared, &mut copies)?;
        Ok((view, copies))
    });
    work.await.map_err(io::Error::other)?
}
