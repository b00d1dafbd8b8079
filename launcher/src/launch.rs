//! A launcher's life: a fresh process that gives up everything, starts bubblewrap, hands the program in and stays until all
//! of the sandbox is dead.
//!
//! ```text
//! gives up what it has, joins its cgroups, becomes another user (confine.rs)
//! starts bubblewrap, waits until a shell inside waits for its script ── "ready" ──► worker
//! ◄── an order ── writes the program's files (inside.rs), gives the shell the rest of its script
//! heeds the worker: asks the program to end (terminate.rs), or kills it; watches its memory where nobody else does (watch.rs)
//! waits until process 1 is dead, and with it all others ── "ended" ──► worker
//! reads what was left as artifacts (artifacts.rs) ──► worker
//! ```

mod artifacts;
mod confine;
mod first;
mod inside;
mod terminate;
mod watch;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            fs::{MetadataExt, OpenOptionsExt},
            process::CommandExt,
        },
    },
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use nix::{
    fcntl::OFlag,
    sys::prctl,
    unistd::{self, pipe2},
};
use serde::Deserialize;

use self::{confine::inheritable, first::First, inside::Inside, watch::Findings};
use crate::{
    BUILD, bubblewrap,
    message::{self, ArtifactLimits, Ended, Message, Order, TERMINATE},
    plan::{LaunchArguments, Pipe, Plan},
    start,
};

/// 128 + SIGXFSZ: a file had its limit.
const FILE_TOO_LARGE: i32 = 153;

/// Why nothing was started. The worker reads it from the launcher's standard error.
#[derive(Debug, thiserror::Error)]
#[error("sandbox launcher: {step}")]
pub struct LaunchError {
    step: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Starts the sandbox, waits for its end and ends the process. Returns only if nothing could be started.
///
/// Must run before the process has a second thread: limits and users belong to threads.
#[must_use]
pub fn launch(arguments: &LaunchArguments) -> LaunchError {
    match try_launch(arguments) {
        Ok(()) => std::process::exit(0),
        Err(error) => error,
    }
}

fn try_launch(arguments: &LaunchArguments) -> Result<(), LaunchError> {
    let plan: Plan = serde_json::from_str(&arguments.plan).during("reading the plan")?;
    if plan.build != BUILD {
        return Err("the worker is of another build").during("reading the plan");
    }
    confine::close_inherited().during("closing inherited files")?;
    let low = confine::low_descriptors().during("keeping low descriptors")?;

    // The worker's own descriptors, by its number: nothing else has to be inheritable in a process full of threads.
    let control = of_parent(&plan, plan.control, OpenOptions::new().read(true)).during("taking the worker's orders")?;
    let report = of_parent(&plan, plan.report, OpenOptions::new().write(true)).during("taking the worker's ear")?;
    check_parent(plan.parent)?;

    // When the whole host runs out of memory, this goes first. Allowed to everybody; not everywhere is it there.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    // Programs that take all processors must not keep the worker from saying that it lives.
    let _ = rustix::process::nice(10);
    for file in &plan.cgroups {
        // "0" is the writer; by version 1's `tasks` a single thread joins without the lock of all processes.
        OpenOptions::new().write(true).open(file).and_then(|mut file| file.write_all(b"0")).during("joining cgroup")?;
    }

    // Opened while still privileged: they may lie where the user below cannot go.
    let bwrap = OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(&plan.bwrap);
    let bwrap = bwrap.during("opening bubblewrap")?;
    let filter = File::open(&plan.filter).during("opening the seccomp filter")?;

    // Held until all of the sandbox is dead.
    let _user = confine::confine(&plan)?;
    // Process 1 comes to this process when bubblewrap's monitor ends, and can be waited for.
    prctl::set_child_subreaper(true).during("becoming the one who waits for the sandbox")?;
    drop(low);
    let pipes = Pipes::new().during("making pipes")?;

    let world = bubblewrap::world(&plan, pipes.status.1.as_raw_fd(), filter.as_raw_fd());
    // Through a file, since process 1 inside shows its arguments to everybody.
    let options = confine::in_memory(&world.encoded()).during("writing bubblewrap's arguments")?;
    inheritable(&filter).and_then(|()| inheritable(&options)).during("passing files on")?;

    // The standard library also gives SIGPIPE its default back, which Rust's start-up ignores.
    let mut command = Command::new(format!("/proc/self/fd/{}", bwrap.as_raw_fd()));
    command.env_clear().arg0("bwrap").arg("--args").arg(options.as_raw_fd().to_string()).arg("--");
    let mut monitor =
        command.args(bubblewrap::command(pipes.script.0.as_raw_fd())).spawn().during("starting bubblewrap")?;
    drop((bwrap, filter, options));

    let mut sandbox = match begin(&plan, pipes) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            // It has said why on standard error, and ends by itself.
            let _ = monitor.wait();
            return Err(error);
        }
    };
    let served = sandbox.serve(&plan, control, &report);
    if !matches!(served, Ok(Served::Runs { .. })) {
        sandbox.first.kill();
    }
    let exit_code = sandbox.ended(&mut monitor).during("waiting for bubblewrap")?;
    if let Served::Runs { artifacts, findings } = served? {
        let found = |finding: &AtomicBool| finding.load(Ordering::SeqCst);
        let disk_full = exit_code == Some(FILE_TOO_LARGE) || sandbox.inside.is_full();
        let ended = Ended {
            exit_code,
            out_of_memory: found(&findings.out_of_memory),
            unwatched: found(&findings.unwatched),
            disk_full,
        };
        // The worker may be gone.
        let told = message::write(&Message::Ended(ended), &report);
        if let (Ok(()), Some(limits)) = (told, artifacts) {
            let by_itself = exit_code.is_some() && !ended.out_of_memory && !ended.unwatched;
            let limits = if by_itself { limits } else { ArtifactLimits { files: 0, ..limits } };
            artifacts::collect(sandbox.inside.workspace(), limits, &report).during("reading artifacts")?;
        }
    }
    Ok(())
}

/// Pipes to the sandbox and from it, each with its end for reading first.
struct Pipes {
    script: (OwnedFd, OwnedFd),
    ready: (OwnedFd, OwnedFd),
    status: (OwnedFd, OwnedFd),
}

impl Pipes {
    fn new() -> io::Result<Self> {
        let pipe = || pipe2(OFlag::O_CLOEXEC);
        let pipes = Self { script: pipe()?, ready: pipe()?, status: pipe()? };
        for end in [&pipes.script.0, &pipes.ready.1, &pipes.status.1] {
            inheritable(end)?;
        }
        // Shells know descriptors of one digit only.
        if pipes.script.0.as_raw_fd() > 9 || pipes.ready.1.as_raw_fd() > 9 {
            return Err(io::Error::other("no low descriptor is free"));
        }
        Ok(pipes)
    }
}

/// A sandbox in which nothing hostile runs yet: a shell waits for the rest of its script.
struct Waiting {
    first: Arc<First>,
    script: Option<File>,
    statuses: BufReader<File>,
    inside: Inside,
}

/// What became of a sandbox that waits.
enum Served {
    /// A program runs in it.
    Runs { artifacts: Option<ArtifactLimits>, findings: Arc<Findings> },
    /// The worker has let go of it.
    Unwanted,
}

/// What bubblewrap tells, in several JSON objects.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Status {
    /// Process 1 of the sandbox, by its number outside.
    child_pid: Option<i32>,
    /// Exit code of a command that was really started.
    exit_code: Option<i32>,
}

/// Waits until bubblewrap has made everything.
fn begin(plan: &Plan, pipes: Pipes) -> Result<Waiting, LaunchError> {
    let Pipes { script, ready, status } = pipes;
    let processes = plan.cgroups.is_empty().then_some(plan.processes);
    let prelude = start::prelude(processes, script.0.as_raw_fd(), ready.1.as_raw_fd());
    // Bubblewrap has its own; with these here, the end of a pipe would never come.
    drop((script.0, ready.1, status.1));

    let mut statuses = BufReader::new(File::from(status.0));
    let first = process_one(&mut statuses).ok_or("it has ended").during("starting bubblewrap")?;
    let first = Arc::new(First::hold(first).during("holding process 1")?);
    let (mut script, mut ready) = (File::from(script.1), File::from(ready.0));
    let greeted = script.write_all(prelude.as_bytes()).and_then(|()| ready.read_exact(&mut [0]));
    match greeted.and_then(|()| Inside::open(first.number())) {
        Ok(inside) => Ok(Waiting { first, script: Some(script), statuses, inside }),
        Err(error) => {
            first.kill();
            Err(error).during("starting the shell in the sandbox")
        }
    }
}

/// The first thing that bubblewrap tells. No byte behind it is read.
fn process_one(statuses: &mut BufReader<File>) -> Option<i32> {
    let status = serde_json::Deserializer::from_reader(statuses).into_iter::<Status>().next()?;
    status.ok()?.child_pid
}

impl Waiting {
    /// Says that it is ready, waits for an order and starts the program.
    fn serve(&mut self, plan: &Plan, control: File, report: &File) -> Result<Served, LaunchError> {
        let mut control = BufReader::new(control);
        let order = message::write(&Message::Ready, report).and_then(|()| message::read::<Order>(&mut control));
        let Ok(Some(order)) = order else { return Ok(Served::Unwanted) };
        for file in &order.files {
            let mut content = (&mut control).take(file.bytes);
            let written = self.inside.write(&file.path, &mut content).during("writing the program's files")?;
            if written < file.bytes {
                return Ok(Served::Unwanted);
            }
        }
        if order.artifacts.is_some() {
            self.inside.make_artifacts().during("making the folder of artifacts")?;
        }

        let findings = Arc::new(Findings::default());
        let first = Arc::clone(&self.first);
        thread::Builder::new().spawn(move || heed(control, &first)).during("heeding the worker")?;
        if plan.cgroups.is_empty() {
            let (first, findings) = (Arc::clone(&self.first), Arc::clone(&findings));
            let memory_bytes = plan.memory_bytes;
            let watching = thread::Builder::new().spawn(move || watch::watch(&first, memory_bytes, &findings));
            watching.during("watching the memory")?;
        }
        if let Some(mut script) = self.script.take() {
            script.write_all(order.script.as_bytes()).during("starting the program")?;
        }
        Ok(Served::Runs { artifacts: order.artifacts, findings })
    }

    /// Waits until all of the sandbox is dead. Returns the exit code of a command that ended by itself.
    fn ended(&mut self, monitor: &mut Child) -> io::Result<Option<i32>> {
        monitor.wait()?;
        // What the program has left running goes with process 1.
        self.first.kill();
        self.first.wait();
        let parts = serde_json::Deserializer::from_reader(&mut self.statuses).into_iter::<Status>();
        Ok(parts.map_while(Result::ok).find_map(|status| status.exit_code))
    }
}

/// Does what the worker says until it is gone or has let go; then kills process 1 of the sandbox, with which all of it dies.
fn heed(mut control: BufReader<File>, first: &First) {
    let mut word = [0];
    while control.read_exact(&mut word).is_ok() {
        if word[0] == TERMINATE {
            terminate::all_of(first.number());
        }
    }
    first.kill();
}

fn check_parent(parent: i32) -> Result<(), LaunchError> {
    if unistd::getppid().as_raw() == parent {
        Ok(())
    } else {
        Err("the worker is gone").during("looking for the worker")
    }
}

/// Opens an end of one of the worker's pipes.
fn of_parent(plan: &Plan, pipe: Pipe, how: &mut OpenOptions) -> io::Result<File> {
    let file = how.open(format!("/proc/{}/fd/{}", plan.parent, pipe.number))?;
    if file.metadata()?.ino() == pipe.inode { Ok(file) } else { Err(io::Error::other("the worker has let go of it")) }
}

trait During<T> {
    fn during(self, step: &'static str) -> Result<T, LaunchError>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> During<T> for Result<T, E> {
    fn during(self, step: &'static str) -> Result<T, LaunchError> {
        self.map_err(|source| LaunchError { step, source: source.into() })
    }
}
