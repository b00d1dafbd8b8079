//! What is run, and what came of it.

use std::{io, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use workroom_launcher::message::{ArtifactLimits, Entry, Order, Program};

use super::{SandboxConfig, check, language::Language, view::View};

/// Where a program's files lie inside.
const WORKSPACE: &str = "/workspace";

/// What a program may leave as artifacts.
pub(super) const ARTIFACTS: ArtifactLimits = ArtifactLimits { files: 100, bytes: 16 * 1024 * 1024, path_bytes: 255 };

/// A program to run.
#[derive(Clone, Debug, Default)]
pub struct Execution {
    /// The name of its language; one of [`Sandbox::languages`](super::Sandbox::languages).
    pub language: String,
    /// Its files; at most 1,000, and half of [`SandboxConfig::workdir_bytes`] together.
    pub files: Vec<SourceFile>,
    /// The path of the file that the interpreter is given; empty for the one whose path is empty.
    pub entry: String,
    /// What the program is given after that; see [`check_arguments`](workroom_domain::job::check_arguments).
    pub args: Vec<String>,
    /// Variables of environment; see [`check_variables`](workroom_domain::job::check_variables).
    pub env: Vec<(String, String)>,
    /// What it reads from standard input; without it, nothing.
    pub stdin: Option<Bytes>,
    /// How long it may take by the wall clock, start of the sandbox included; [`SandboxConfig::longest`] at most.
    pub timeout: Duration,
    /// Whether what it leaves below `/workspace/artifacts` is read when it ends by itself.
    pub keep_artifacts: bool,
}

/// A file of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path below `/workspace`: relative, without `.` and `..`. Empty for the file that the language names.
    pub path: String,
    /// What is in it.
    pub content: Bytes,
}

/// How an execution ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The beginning of standard output, garbage and NUL replaced by U+FFFD.
    pub stdout: String,
    /// The beginning of standard error, likewise.
    pub stderr: String,
    /// The program's exit code, 128 + signal if a signal killed it. `None` when the sandbox stopped it.
    pub exit_code: Option<i32>,
    /// Wall-clock time from the start of the sandbox to the end of the program.
    pub execution_time: Duration,
    /// Whether output is missing at the end.
    pub truncated: bool,
    /// A limit that was certainly hit. The program may have gone on: see `exit_code`.
    pub limit_hit: Option<LimitHit>,
    /// Whether it was stopped because the caller asked.
    pub cancelled: bool,
    /// What it has left, in the order of the paths.
    pub artifacts: Vec<Artifact>,
    /// What it has left beside them: no regular file, too large, one too many, or with a name that is too long or no UTF-8.
    pub artifacts_dropped: u32,
}

/// A file that a program has left below `/workspace/artifacts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Its path below that folder.
    pub path: String,
    /// What is in it.
    pub content: Bytes,
}

/// Which limit of the sandbox a program hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitHit {
    /// It took too long and was killed.
    Time,
    /// It was killed for want of memory. Without cgroups a single process mostly finds its own limit before, and nobody is
    /// told.
    Memory,
    /// It printed more than [`SandboxConfig::output_limit_bytes`] and was killed.
    Output,
    /// A process or thread could not be started. Known with cgroups only.
    Processes,
    /// A folder that it may write to was full when it ended, or it was killed for a file of
    /// [`SandboxConfig::file_size_bytes`]. What it has made room for again is not known.
    Disk,
}

/// Which of its streams a program printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Why code was not run, or its outcome is unknown.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There is no interpreter for the language.
    #[error("the worker has no interpreter for {0}")]
    LanguageMissing(String),
    /// The files do not fit into the work directory.
    #[error("the files have {bytes} bytes, more than {limit}")]
    FilesTooLarge {
        /// Bytes of all, or of the largest.
        bytes: u64,
        /// The most allowed.
        limit: u64,
    },
    /// The program's files, arguments or variables cannot be as they are.
    #[error("{reason}")]
    Invalid {
        /// What is wrong, as a sentence.
        reason: String,
    },
    /// The sandbox refused or failed before the program began.
    #[error("the sandbox did not start: {detail}")]
    NotStarted {
        /// What the launcher or process 1 said.
        detail: String,
    },
    /// The host failed.
    #[error("sandbox: {step}")]
    Host {
        /// What was being done.
        step: &'static str,
        /// What went wrong.
        source: io::Error,
    },
}

impl SandboxError {
    /// Whether another attempt would end the same: the execution itself is wrong.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::FilesTooLarge { .. } | Self::Invalid { .. })
    }

    /// What whoever has submitted the program is told: nothing of the host.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::LanguageMissing(_) | Self::FilesTooLarge { .. } | Self::Invalid { .. } => self.to_string(),
            Self::NotStarted { .. } => "the worker could not run the program: its sandbox failed".to_owned(),
            Self::Host { .. } => "the worker could not run the program: its machine failed".to_owned(),
        }
    }
}

impl Execution {
    /// A program of one file, with nothing else.
    pub fn code(language: impl Into<String>, code: impl Into<Bytes>, timeout: Duration) -> Self {
        let file = SourceFile { path: String::new(), content: code.into() };
        Self { language: language.into(), files: vec![file], timeout, ..Self::default() }
    }

    /// What the launcher is told of it.
    ///
    /// # Errors
    /// It is not as it has to be.
    pub(super) fn order(
        &self,
        config: &SandboxConfig,
        language: &Language,
        view: &View,
    ) -> Result<Order, SandboxError> {
        let invalid = |reason: String| SandboxError::Invalid { reason };
        let path = |path: &str| if path.is_empty() { language.file.clone() } else { path.to_owned() };
        let entry = |file: &SourceFile| Entry { path: path(&file.path), bytes: file.content.len() as u64 };
        let files: Vec<Entry> = self.files.iter().map(entry).collect();
        check::files(files.iter().map(|file| file.path.as_str())).map_err(invalid)?;
        let variables = || self.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        check::environment(variables()).map_err(invalid)?;
        check::arguments(self.args.iter().map(String::as_str)).map_err(invalid)?;
        let entry = path(&self.entry);
        if !files.iter().any(|file| file.path == entry) {
            return Err(invalid(format!("the entry {entry:?} is none of the files")));
        }
        fits(files.iter().map(|file| file.bytes).sum(), config.files_bytes())?;
        fits(files.iter().map(|file| file.bytes).max().unwrap_or(0), config.file_size_bytes)?;

        let file = format!("{WORKSPACE}/{entry}");
        let interpreter = [view.interpreter.to_str().unwrap_or_default()].into_iter();
        let command = interpreter.chain(language.arguments.iter().map(String::as_str)).chain([file.as_str()]);
        let command = command.chain(self.args.iter().map(String::as_str)).map(str::to_owned).collect();
        // The submission's come last, and win.
        let preset = language.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let environment = preset.chain(variables()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let program = Program { environment, command };
        Ok(Order { files, program, artifacts: self.keep_artifacts.then_some(ARTIFACTS) })
    }
}

fn fits(bytes: u64, limit: u64) -> Result<(), SandboxError> {
    if bytes > limit { Err(SandboxError::FilesTooLarge { bytes, limit }) } else { Ok(()) }
}
