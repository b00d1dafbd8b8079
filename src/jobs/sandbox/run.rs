//! One execution, from the code to its outcome.

use std::{
    fs::File,
    io::{self, Write},
    os::{fd::AsRawFd, unix::process::ExitStatusExt},
    path::PathBuf,
    pin::pin,
    process::{ExitStatus, Stdio},
    sync::Arc,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    time::{sleep, timeout},
};

use super::{
    Language, Sandbox, SandboxConfig,
    cgroup::{Controllers, Group, Limits, Verdict},
    output::Capture,
    plan::Plan,
};

/// Killed processes are gone, and their pipes closed, long before this.
const KILLED: Duration = Duration::from_secs(5);

/// Code to run.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its language; one of [`Sandbox::languages`].
    pub language: Language,
    /// The program.
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

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitHit {
    /// It took too long and was killed.
    Timeout,
    /// A process was killed for want of memory. Known with cgroups only.
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
        let config = &self.inner.config;
        let Some(interpreter) = self.inner.interpreters.get(&execution.language) else {
            return Err(SandboxError::LanguageMissing(execution.language));
        };
        let limit = config.workdir_bytes / 2;
        if execution.code.len() as u64 > limit {
            return Err(SandboxError::CodeTooLarge { bytes: execution.code.len(), limit });
        }

        let code = Arc::new(in_memory(execution.code.as_bytes()).map_err(host("keeping the code"))?);
        let status_file = Arc::new(in_memory(b"").map_err(host("making the status file"))?);
        let limits = Limits { memory_bytes: config.memory_bytes, processes: config.processes };
        let group = self.inner.controllers.as_ref().map(|controllers: &Controllers| controllers.group(limits));
        let group = group.transpose().map_err(host("making a cgroup"))?;
        let procs = group.as_ref().map(Group::procs).unwrap_or_default();
        let plan = plan(config, &execution, interpreter.clone(), procs, &code, &status_file);

        let started = Instant::now();
        let command = command(config, &plan, execution.stdin.is_some())?;
        let files = vec![Arc::clone(&code), Arc::clone(&status_file)];
        let mut child = self.inner.spawner.spawn(command, files).await.map_err(host("starting the launcher"))?;
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
                let mut cancel = pin!(cancel);
                let mut over = pin!(sleep(execution.timeout));
                loop {
                    tokio::select! {
                        biased;
                        () = &mut cancel => break End::Cancelled,
                        () = &mut over => break End::Timeout,
                        status = child.wait() => break End::Exited(status),
                        _ = &mut talk, if talking => talking = false,
                    }
                }
            };
            let end = stop(&mut child, group.as_ref(), end).await?;
            // The program is dead and so is all it started; what the pipes still hold comes at once.
            if talking {
                let _ = timeout(KILLED, talk).await;
            }
            end
        };
        let execution_time = started.elapsed();

        let verdict = group.as_ref().map(Group::verdict).unwrap_or_default();
        if let Some(group) = group {
            group.remove().await;
        }
        drop(code); // not before: the launcher takes it from this process
        let (limit_hit, cancelled) = judge(&end, verdict);
        let truncated = stdout.truncated() || stderr.truncated();
        let (stdout, stderr) = (stdout.into_text(), stderr.into_text());
        let exit_code = match end {
            End::Exited(Ok(status)) => Some(exit_code(status, &status_file, &stderr)?),
            _ => None,
        };
        Ok(Outcome { stdout, stderr, exit_code, execution_time, truncated, limit_hit, cancelled })
    }
}

/// What to tell the launcher.
fn plan(
    config: &SandboxConfig,
    execution: &Execution,
    interpreter: PathBuf,
    cgroups: Vec<PathBuf>,
    code: &File,
    status: &File,
) -> Plan {
    // A backstop only, behind the wall clock: a process can use every processor at once.
    let processors = available_parallelism().map_or(1, |count| count.get() as u64);
    Plan {
        parent: std::process::id().cast_signed(),
        code_fd: code.as_raw_fd(),
        status_fd: status.as_raw_fd(),
        bwrap: config.bwrap.clone(),
        interpreter,
        language: execution.language,
        cgroups,
        memory_bytes: config.memory_bytes,
        processes: config.processes,
        open_files: config.open_files,
        file_size_bytes: config.file_size_bytes,
        workdir_bytes: config.workdir_bytes,
        cpu_seconds: execution.timeout.as_secs().saturating_add(2).saturating_mul(processors),
        uid: config.uid,
        gid: config.gid,
    }
}

fn command(config: &SandboxConfig, plan: &Plan, reads: bool) -> Result<Command, SandboxError> {
    let json = serde_json::to_string(plan).map_err(|error| host("writing the plan")(error.into()))?;
    let mut command = Command::new(&config.launcher);
    command.args(["sandbox-launch", "--plan", &json]).env_clear().current_dir("/");
    command.stdin(if reads { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Writes standard input. A program that does not read it to the end has not failed.
async fn feed(stdin: Option<ChildStdin>, text: Option<&str>) {
    if let (Some(mut stdin), Some(text)) = (stdin, text) {
        let _ = stdin.write_all(text.as_bytes()).await;
    }
}

/// Ends the whole tree. The monitor's death ends process 1 of the namespace, which ends everything in it.
async fn stop(child: &mut Child, group: Option<&Group>, end: End) -> Result<End, SandboxError> {
    if let Some(group) = group {
        group.kill();
    }
    if !matches!(end, End::Exited(_)) {
        // Failing means that it has just ended by itself.
        let _ = child.start_kill();
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

fn judge(end: &End, verdict: Verdict) -> (Option<LimitHit>, bool) {
    let limit = match end {
        End::Timeout => Some(LimitHit::Timeout),
        _ if verdict.out_of_memory => Some(LimitHit::Memory),
        _ if verdict.out_of_processes => Some(LimitHit::Processes),
        _ => None,
    };
    (limit, matches!(end, End::Cancelled))
}

/// The program's exit code. bubblewrap reports one only for a program that it has started; of itself it exits likewise.
fn exit_code(status: ExitStatus, report: &File, stderr: &str) -> Result<i32, SandboxError> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(rename = "exit-code")]
        exit_code: Option<i32>,
    }
    let mut reader = report;
    io::Seek::rewind(&mut reader).map_err(host("reading the status file"))?;
    let mut lines = serde_json::Deserializer::from_reader(reader).into_iter::<Line>();
    let reported = lines.find_map(|line| line.ok()?.exit_code);
    // Killed, when the kernel ran out of memory for the group: the program with it.
    reported.or_else(|| status.signal().map(|signal| 128 + signal)).ok_or_else(|| SandboxError::NotStarted {
        detail: if stderr.is_empty() { status.to_string() } else { stderr.trim().to_owned() },
    })
}

/// A file that this process alone has; the launcher reaches it by number.
fn in_memory(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("sandbox", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(content)?;
    Ok(file)
}

fn host(step: &'static str) -> impl Fn(io::Error) -> SandboxError {
    move |source| SandboxError::Host { step, source }
}
