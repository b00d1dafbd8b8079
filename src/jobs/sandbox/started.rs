//! A sandbox from its start until it is given a program.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    process::Stdio,
    thread::available_parallelism,
    time::Duration,
};

use nix::{fcntl::OFlag, sys::stat::fstat, unistd::pipe2};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader},
    net::unix::pipe,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use workroom_launcher::{
    BUILD,
    message::{self, LONGEST_LINE, Message},
    plan::{Pipe, Plan},
};

use super::{
    Inner, SandboxConfig, SandboxError,
    cgroup::{Group, Limits},
    host,
    view::View,
};

/// Killed processes are gone, and their pipes closed, long before this.
pub(super) const KILLED: Duration = Duration::from_secs(5);

/// Most bytes of what a launcher says that could not start anything.
const COMPLAINT_BYTES: u64 = 4096;

/// A started sandbox. Dropped, it ends: its launcher sees the end of its orders.
#[derive(Debug)]
pub(super) struct Started {
    pub child: Child,
    pub stdin: ChildStdin,
    pub stdout: ChildStdout,
    pub stderr: ChildStderr,
    /// Orders to the launcher. When this is closed, the launcher kills the sandbox.
    pub control: pipe::Sender,
    pub report: BufReader<pipe::Receiver>,
    pub group: Option<Group>,
    /// Whether it was started before its program was known.
    pub has_waited: bool,
    /// The launcher's ends of both pipes, until it has them: it takes them by their numbers here.
    ends: Option<(OwnedFd, OwnedFd)>,
}

impl Started {
    /// Starts a sandbox. It is ready some milliseconds later.
    pub(super) fn new(sandbox: &Inner, view: &View) -> Result<Self, SandboxError> {
        let config = &sandbox.config;
        let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|error| host("making a pipe")(error.into()));
        let (orders, control) = pipe()?;
        let (report, messages) = pipe()?;
        let control = pipe::Sender::from_owned_fd(control).map_err(host("using a pipe"))?;
        let report = pipe::Receiver::from_owned_fd(report).map_err(host("using a pipe"))?;

        let limits = Limits { memory_bytes: config.memory_bytes, processes: config.processes };
        let group = sandbox.controllers.as_ref().map(|controllers| controllers.group(limits));
        let group = group.transpose().map_err(host("making a cgroup"))?;
        let plan = plan(config, view, group.as_ref(), &orders, &messages).map_err(host("looking at pipes"))?;
        let mut child = command(sandbox, &plan)?.spawn().map_err(host("starting the launcher"))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(host("opening pipes")(io::ErrorKind::BrokenPipe.into()));
        };
        let ends = Some((orders, messages));
        Ok(Self {
            child,
            stdin,
            stdout,
            stderr,
            control,
            report: BufReader::new(report),
            group,
            has_waited: false,
            ends,
        })
    }

    /// Whether it can still become ready, as far as is known.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until a program can be run in it. To be called once.
    ///
    /// # Errors
    /// What the launcher or process 1 said when they could not start it.
    pub(super) async fn ready(&mut self) -> Result<(), SandboxError> {
        let ready = tokio::select! {
            message = receive(&mut self.report) => matches!(message, Ok(Some(Message::Ready))),
            _ = self.child.wait() => false,
        };
        if ready {
            // The end of its messages can be seen now.
            self.ends = None;
            return Ok(());
        }
        // What it left open dies with its group, or with it.
        let _ = self.child.start_kill();
        if let Some(group) = &self.group {
            group.kill();
        }
        let mut text = Vec::new();
        let _ = timeout(KILLED, (&mut self.stderr).take(COMPLAINT_BYTES).read_to_end(&mut text)).await;
        let detail = String::from_utf8_lossy(&text).trim().to_owned();
        let detail = if detail.is_empty() { "the launcher ended".to_owned() } else { detail };
        Err(SandboxError::NotStarted { detail })
    }

    /// Ends it, and waits until nothing is left of it.
    pub(super) async fn end(self) {
        let Self { mut child, control, group, ends, .. } = self;
        drop((control, ends));
        if let Some(group) = &group {
            group.kill();
        }
        if timeout(KILLED, child.wait()).await.is_err() {
            tracing::warn!("a sandbox that waited for a program does not end");
        }
        if let Some(group) = group {
            group.remove().await;
        }
    }
}

/// What to tell the launcher.
fn plan(
    config: &SandboxConfig,
    view: &View,
    group: Option<&Group>,
    orders: &OwnedFd,
    messages: &OwnedFd,
) -> io::Result<Plan> {
    // A backstop only, behind the wall clock: a process can use every processor at once.
    let processors = available_parallelism().map_or(1, |count| count.get() as u64);
    Ok(Plan {
        build: BUILD.to_owned(),
        parent: std::process::id().cast_signed(),
        control: end_of(orders)?,
        report: end_of(messages)?,
        root: view.root.clone(),
        mounts: view.mounts.clone(),
        filter: view.filter.clone(),
        cgroups: group.map(Group::joins).unwrap_or_default(),
        memory_bytes: config.memory_bytes,
        processes: config.processes,
        open_files: config.open_files,
        file_size_bytes: config.file_size_bytes,
        workdir_bytes: config.workdir_bytes,
        cpu_seconds: config.longest.as_secs().saturating_add(2).saturating_mul(processors),
        first_uid: config.first_uid,
    })
}

fn end_of(pipe: &OwnedFd) -> io::Result<Pipe> {
    Ok(Pipe { number: pipe.as_raw_fd(), inode: fstat(pipe)?.st_ino })
}

fn command(sandbox: &Inner, plan: &Plan) -> Result<Command, SandboxError> {
    let json = serde_json::to_string(plan).map_err(|error| host("writing the plan")(error.into()))?;
    let mut command = sandbox.launcher.command(&json);
    // Where the launcher is the service itself: memory that its allocator merely reserves would count against the limits that
    // it sets to itself.
    command.env("MIMALLOC_ARENA_RESERVE", "0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Reads what a launcher says; `None` at the end.
pub(super) async fn receive(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Message>> {
    let mut line = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
    message::parse(&line)
}
