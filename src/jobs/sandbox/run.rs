//! One execution, from the code to its outcome.

use std::{
    convert::Infallible,
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    path::PathBuf,
    pin::pin,
    process::{ExitStatus, Stdio},
    sync::Arc,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use nix::{
    fcntl::OFlag,
    sys::memfd::{MFdFlags, memfd_create},
    unistd::pipe2,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    Inner, Language, Sandbox, SandboxConfig,
    cgroup::{Group, LimitEvents, Limits},
    output::Capture,
    plan::{Plan, Report},
    view::View,
};

/// Killed processes are gone, and their pipes closed, long before this.
const KILLED: Duration = Duration::from_secs(5);

/// Code to run.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its language; one of [`Sandbox::languages`].
    pub language: Language,
    /// The program's text; it is refused when it is longer than half of [`SandboxConfig::workdir_bytes`].
    pub code: String,
    /// What it reads from standard input; without it, nothing.
    pub stdin: Option<String>,
    /// How long it may take by the wall clock, start of the sandbox included.
    pub timeout: Duration,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Which limit of the sandbox a program hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitHit {
    /// It took too long and was killed.
    Timeout,
    /// It was killed for want of memory. Without cgroups a single process mostly finds its own limit before, and nobody is
    /// told.
    Memory,
    /// A process or thread could not be started. Known with cgroups only.
    Processes,
}

/// Why code was not run, or its outcome is unknown.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There is no interpreter for the language.
    #[error("no interpreter for {0} is installed")]
    LanguageMissing(Language),
    /// The code does not fit into the work directory.
    #[error("the code has {bytes} bytes, more than {limit}")]
    CodeTooLarge {
        /// Length of the code.
        bytes: usize,
        /// The longest allowed, in bytes.
        limit: u64,
    },
    /// The sandbox refused or failed before the program began.
    #[error("the sandbox did not start: {detail}")]
    NotStarted {
        /// What the launcher or bubblewrap said.
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

/// Why waiting ended.
enum End {
    Exited(io::Result<ExitStatus>),
    Timeout,
    Cancelled,
}

impl Sandbox {
    /// Runs code until it ends, its time is over, or `cancel` is ready. Dropping the future kills it as well.
    ///
    /// # Errors
    /// When the program was not run at all, or the host failed; never for what the program does.
    pub async fn run(&self, execution: Execution, cancel: impl Future<Output = ()>) -> Result<Outcome, SandboxError> {
        // In a task of its own, which cleans up even when nobody waits for it any more.
        let (wanted, unwanted) = oneshot::channel();
        let mut running = tokio::spawn(run(Arc::clone(&self.inner), execution, unwanted));
        let joined = tokio::select! {
            joined = &mut running => joined,
            () = cancel => {
                drop(wanted);
                running.await
            }
        };
        joined.map_err(|error| host("running")(error.into()))?
    }
}

/// Runs code while it is wanted.
async fn run(
    sandbox: Arc<Inner>,
    execution: Execution,
    unwanted: oneshot::Receiver<Infallible>,
) -> Result<Outcome, SandboxError> {
    let config = &sandbox.config;
    let Some(view) = sandbox.views.get(&execution.language) else {
        return Err(SandboxError::LanguageMissing(execution.language));
    };
    let limit = config.workdir_bytes / 2;
    if execution.code.len() as u64 > limit {
        return Err(SandboxError::CodeTooLarge { bytes: execution.code.len(), limit });
    }

    let files = Files::new(&execution.code).map_err(host("making files"))?;
    let (watched, lifeline) = pipe2(OFlag::O_CLOEXEC).map_err(|error| host("making a pipe")(error.into()))?;
    let limits = Limits { memory_bytes: config.memory_bytes, processes: config.processes };
    let group = sandbox.controllers.as_ref().map(|controllers| controllers.group(limits));
    let group = group.transpose().map_err(host("making a cgroup"))?;
    let procs = group.as_ref().map(Group::procs).unwrap_or_default();
    let plan = plan(config, &execution, view, procs, &files, &watched);

    let started = Instant::now();
    let mut child =
        command(config, &plan, execution.stdin.is_some())?.spawn().map_err(host("starting the launcher"))?;
    let mut stdout = Capture::new(config.output_bytes);
    let mut stderr = Capture::new(config.output_bytes);
    let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(out), Some(err)) = (streams.1, streams.2) else {
        return Err(host("opening pipes")(io::ErrorKind::BrokenPipe.into()));
    };

    let end = {
        let mut talk = pin!(async {
            tokio::join!(stdout.drain(out), stderr.drain(err), feed(streams.0, execution.stdin.as_deref()))
        });
        let mut talking = true;
        let end = {
            let mut unwanted = pin!(unwanted);
            let mut over = pin!(sleep(execution.timeout));
            loop {
                tokio::select! {
                    biased;
                    _ = &mut unwanted => break End::Cancelled,
                    () = &mut over => break End::Timeout,
                    status = child.wait() => break End::Exited(status),
                    _ = &mut talk, if talking => talking = false,
                }
            }
        };
        let end = stop(&mut child, lifeline, group.as_ref(), end).await?;
        // The program is dead and so is all it started; what the pipes still hold comes at once.
        if talking {
            let _ = timeout(KILLED, talk).await;
        }
        end
    };
    let execution_time = started.elapsed();

    let mut events = group.as_ref().map(Group::limit_events).unwrap_or_default();
    if let Some(group) = group {
        group.remove().await;
    }
    drop(watched); // not before: the launcher takes it, as it takes the files, from this process
    let report = Report::read(&files.status).map_err(host("reading the status file"))?;
    events.out_of_memory |= report.out_of_memory;
    let (limit_hit, cancelled) = classify(&end, events);
    let truncated = stdout.truncated() || stderr.truncated();
    let (stdout, stderr) = (stdout.into_text(), stderr.into_text());
    let exit_code = match end {
        End::Exited(Ok(status)) => Some(exit_code(status, &report, &stderr)?),
        _ => None,
    };
    Ok(Outcome { stdout, stderr, exit_code, execution_time, truncated, limit_hit, cancelled })
}

/// In-memory files that this process alone has; the launcher reaches them by number.
struct Files {
    code: File,
    status: File,
}

impl Files {
    fn new(code: &str) -> io::Result<Self> {
        let create = || memfd_create("sandbox", MFdFlags::MFD_CLOEXEC).map(File::from);
        let files = Self { code: create()?, status: create()? };
        (&files.code).write_all(code.as_bytes())?;
        Ok(files)
    }
}

/// What to tell the launcher.
fn plan(
    config: &SandboxConfig,
    execution: &Execution,
    view: &View,
    cgroups: Vec<PathBuf>,
    files: &Files,
    lifeline: &OwnedFd,
) -> Plan {
    // A backstop only, behind the wall clock: a process can use every processor at once.
    let processors = available_parallelism().map_or(1, |count| count.get() as u64);
    Plan {
        parent: std::process::id().cast_signed(),
        code_fd: files.code.as_raw_fd(),
        status_fd: files.status.as_raw_fd(),
        lifeline_fd: lifeline.as_raw_fd(),
        bwrap: config.bwrap.clone(),
        root: view.root.clone(),
        mounts: view.mounts.clone(),
        interpreter: view.interpreter.clone(),
        language: execution.language,
        cgroups,
        memory_bytes: config.memory_bytes,
        processes: config.processes,
        open_files: config.open_files,
        file_size_bytes: config.file_size_bytes,
        workdir_bytes: config.workdir_bytes,
        cpu_seconds: execution.timeout.as_secs().saturating_add(2).saturating_mul(processors),
        first_uid: config.first_uid,
    }
}

fn command(config: &SandboxConfig, plan: &Plan, reads: bool) -> Result<Command, SandboxError> {
    let json = serde_json::to_string(plan).map_err(|error| host("writing the plan")(error.into()))?;
    let mut command = Command::new(&config.launcher);
    command.args(["sandbox-launch", "--plan", &json]).env_clear().current_dir("/");
    // Memory that its allocator merely reserves would count against the limits that it sets to itself.
    command.env("MIMALLOC_ARENA_RESERVE", "0");
    command.stdin(if reads { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Writes standard input. A program that does not read it to the end has not failed.
async fn feed(stdin: Option<ChildStdin>, text: Option<&str>) {
    if let (Some(mut stdin), Some(text)) = (stdin, text) {
        let _ = stdin.write_all(text.as_bytes()).await;
    }
}

/// Ends the whole tree, whether or not its program has ended.
async fn stop(child: &mut Child, lifeline: OwnedFd, group: Option<&Group>, end: End) -> Result<End, SandboxError> {
    drop(lifeline);
    if let Some(group) = group {
        group.kill();
    }
    if !matches!(end, End::Exited(_)) {
        match timeout(KILLED, child.wait()).await {
            Ok(waited) => drop(waited.map_err(host("waiting for the sandbox"))?),
            Err(late) => return Err(host("killing the sandbox")(late.into())),
        }
    }
    match end {
        End::Exited(Err(error)) => Err(host("waiting for the sandbox")(error)),
        end => Ok(end),
    }
}

fn classify(end: &End, events: LimitEvents) -> (Option<LimitHit>, bool) {
    let limit = match end {
        End::Timeout => Some(LimitHit::Timeout),
        _ if events.out_of_memory => Some(LimitHit::Memory),
        _ if events.out_of_processes => Some(LimitHit::Processes),
        _ => None,
    };
    (limit, matches!(end, End::Cancelled))
}

/// The program's exit code. bubblewrap reports one only for a program that it has started; of itself it exits likewise.
fn exit_code(status: ExitStatus, report: &Report, stderr: &str) -> Result<i32, SandboxError> {
    // Killed, when there was no more memory for it: the program with it.
    let killed = status.signal().map(|signal| 128 + signal).or(status.code().filter(|&code| code > 128));
    report.exit_code.or(killed).filter(|_| !report.unwatched).ok_or_else(|| SandboxError::NotStarted {
        detail: if stderr.is_empty() { status.to_string() } else { stderr.trim().to_owned() },
    })
}

fn host(step: &'static str) -> impl Fn(io::Error) -> SandboxError {
    move |source| SandboxError::Host { step, source }
}
