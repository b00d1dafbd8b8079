//! Child processes that die with the service, also when it is killed with SIGKILL.
//!
//! Linux sends the parent-death signal when the *thread* that forked the child ends, and the threads of an async
//! runtime come and go. So one thread with nothing else to do forks all children, and lives as long as the last
//! [`Spawner`] handle.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

pub use super::exec_child::DeathSignal;

/// Finds the `workroom` binary: `WORKROOM_BIN`, else the one that Cargo has built beside the running program.
pub fn workroom_bin() -> anyhow::Result<PathBuf> {
    find_bin("workroom", "WORKROOM_BIN")
}

/// Finds this package's own binary, for programs that are another one (tests, benchmarks): the running program, else
/// `WORKROOM_DEV_BIN`, else the one that Cargo has built beside the running program.
pub fn own_bin() -> anyhow::Result<PathBuf> {
    let running = std::env::current_exe().context("the path of the running program is unknown")?;
    if running.file_name() == Some(OsStr::new("workroom-dev")) {
        return Ok(running);
    }
    find_bin("workroom-dev", "WORKROOM_DEV_BIN")
}

fn find_bin(name: &str, variable: &str) -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        let path = PathBuf::from(path);
        return std::path::absolute(&path).with_context(|| format!("{variable} is not a usable path"));
    }
    let running = std::env::current_exe().context("the path of the running program is unknown")?;
    // A test binary lies in target/<profile>/deps, the others in target/<profile>.
    running
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("the {name} binary is not found: build it, or set {variable} to its path"))
}

/// As whom a child runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAs {
    /// As the service itself.
    Caller,
    /// In a user namespace that shows the caller as this user and group; files stay the caller's own.
    Namespace {
        /// The user id seen inside.
        uid: u32,
        /// The group id seen inside.
        gid: u32,
    },
    /// As another user, for good; needs root.
    User {
        /// The user id.
        uid: u32,
        /// The group id.
        gid: u32,
    },
}

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// The program's path.
    pub program: PathBuf,
    /// Arguments that the program is given, without its own name.
    pub args: Vec<OsString>,
    /// Variables added to the inherited environment.
    pub env: Vec<(OsString, OsString)>,
    /// The folder to start in.
    pub cwd: Option<PathBuf>,
    /// A file to read as stdin; without one there is no input.
    pub stdin: Option<PathBuf>,
    /// The file that stdout and stderr are appended to; without one they are the caller's.
    pub log: Option<PathBuf>,
    /// The user to be.
    pub run_as: RunAs,
    /// What the kernel sends when the service dies.
    pub death_signal: DeathSignal,
}

impl ChildSpec {
    /// A program that runs as the caller, is killed with the service, and writes to `log`.
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            stdin: None,
            log: Some(log.into()),
            run_as: RunAs::Caller,
            death_signal: DeathSignal::Kill,
        }
    }

    /// A program that runs as the caller, is killed with the service, and writes to where the caller does.
    pub fn in_sight(program: impl Into<PathBuf>) -> Self {
        Self { log: None, ..Self::new(program, PathBuf::new()) }
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    fn command(&self, own_bin: &Path) -> anyhow::Result<Command> {
        let mut command = Command::new(own_bin);
        command
            .arg("exec-child")
            .arg(format!("--parent={}", std::process::id()))
            .arg(format!("--death-signal={}", self.death_signal.as_str()));
        match self.run_as {
            RunAs::Caller => {}
            RunAs::Namespace { uid, gid } => {
                command.arg("--user-namespace").arg(format!("--uid={uid}")).arg(format!("--gid={gid}"));
            }
            RunAs::User { uid, gid } => {
                command.arg(format!("--uid={uid}")).arg(format!("--gid={gid}"));
            }
        }
        if let Some(cwd) = &self.cwd {
            command.arg("--cwd").arg(cwd);
        }
        let stdin = match &self.stdin {
            Some(path) => File::open(path).with_context(|| format!("{} cannot be read", path.display()))?.into(),
            None => Stdio::null(),
        };
        command
            .arg("--")
            .arg(&self.program)
            .args(&self.args)
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdin(stdin);
        if let Some(log) = &self.log {
            let log = open_log(log)?;
            command.stdout(log.try_clone().context("a log file cannot be shared")?).stderr(log);
        }
        Ok(command)
    }
}

fn open_log(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("the log {} cannot be opened", path.display()))
}

type Request = (Command, mpsc::Sender<std::io::Result<std::process::Child>>);

/// Starts children; cheap to clone. When the last clone is dropped, the children get their death signal.
#[derive(Debug, Clone)]
pub struct Spawner {
    own_bin: PathBuf,
    requests: mpsc::Sender<Request>,
}

impl Spawner {
    /// Starts the thread that forks; `own_bin` is the binary that knows `exec-child`.
    pub fn new(own_bin: PathBuf) -> anyhow::Result<Self> {
        if !own_bin.is_file() {
            bail!("the binary {} does not exist: build it first", own_bin.display());
        }
        let (requests, incoming) = mpsc::channel::<Request>();
        std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || {
                for (mut command, reply) in incoming {
                    // Who asked may have been cancelled; the child then is dropped, and reaped by nobody until exit.
                    let _ = reply.send(command.spawn());
                }
            })
            .context("the thread that starts child processes cannot be started")?;
        Ok(Self { own_bin, requests })
    }

    /// Starts a child. Takes a few milliseconds; that the program could not be run shows as its exit, and in its log.
    pub fn spawn(&self, spec: &ChildSpec) -> anyhow::Result<Child> {
        let (reply, answer) = mpsc::channel();
        let command = spec.command(&self.own_bin)?;
        let gone = || anyhow!("the thread that starts child processes has ended");
        self.requests.send((command, reply)).map_err(|_| gone())?;
        let child = answer
            .recv()
            .map_err(|_| gone())?
            .with_context(|| format!("{} cannot be started", self.own_bin.display()))?;
        Child::watch(child)
    }

    /// Runs a child to its end and says how it went; past `deadline` it is killed and that is the error.
    pub async fn run(&self, spec: &ChildSpec, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let child = self.spawn(spec)?;
        if let Some(status) = child.wait_for(deadline).await {
            return Ok(status);
        }
        child.kill9().await;
        bail!("{} did not finish within {} seconds", spec.program.display(), deadline.as_secs())
    }
}

/// A running child, or what is left of one.
#[derive(Debug, Clone)]
pub struct Child {
    pid: u32,
    // Held while reaping and while signalling, so that a signal never hits a stranger that got the freed pid.
    reaped: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Child {
    fn watch(mut child: std::process::Child) -> anyhow::Result<Self> {
        let pid = child.id();
        let reaped = Arc::new(Mutex::new(false));
        let (report, exit) = watch::channel(None);
        let flag = Arc::clone(&reaped);
        std::thread::Builder::new()
            .name(format!("wait-{pid}"))
            .spawn(move || {
                let status = reap(&mut child, &flag);
                report.send_replace(status);
            })
            .context("the thread that waits for a child process cannot be started")?;
        Ok(Self { pid, reaped, exit })
    }

    /// The process id. The child execs, so it is the program's own.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        !*lock(&self.reaped)
    }

    /// Sends a signal; to an ended child, nothing.
    pub fn signal(&self, signal: Signal) {
        let reaped = lock(&self.reaped);
        if let (false, Ok(pid)) = (*reaped, i32::try_from(self.pid)) {
            // It can fail only for a process that ended a moment ago.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Waits until it has ended; `None` if its exit status could not be had.
    pub async fn wait(&self) -> Option<ExitStatus> {
        let mut exit = self.exit.clone();
        // An error means that the waiting thread is gone, and with it the child.
        let _ = exit.wait_for(Option::is_some).await;
        *exit.borrow()
    }

    /// Waits for at most `limit`; `None` when it still runs then.
    pub async fn wait_for(&self, limit: Duration) -> Option<ExitStatus> {
        tokio::time::timeout(limit, self.wait()).await.ok().flatten()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub async fn kill9(&self) {
        self.signal(Signal::SIGKILL);
        self.wait().await;
    }

    /// Sends `signal`, and after `limit` SIGKILL; returns whether SIGKILL was needed.
    pub async fn stop(&self, signal: Signal, limit: Duration) -> bool {
        self.signal(signal);
        if self.wait_for(limit).await.is_some() || !self.is_running() {
            return false;
        }
        self.kill9().await;
        true
    }
}

fn lock(flag: &Mutex<bool>) -> MutexGuard<'_, bool> {
    flag.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the end without reaping (the pid stays taken), then reaps under the lock.
#[cfg(target_os = "linux")]
fn reap(child: &mut std::process::Child, reaped: &Mutex<bool>) -> Option<ExitStatus> {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    while let Err(nix::errno::Errno::EINTR) = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {}
    let mut done = lock(reaped);
    *done = true;
    child.wait().ok()
}

/// The same by asking again and again, where waiting without reaping does not exist.
#[cfg(not(target_os = "linux"))]
fn reap(child: &mut std::process::Child, reaped: &Mutex<bool>) -> Option<ExitStatus> {
    loop {
        {
            let mut done = lock(reaped);
            match child.try_wait() {
                Ok(None) => {}
                ended => {
                    *done = true;
                    return ended.ok().flatten();
                }
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
