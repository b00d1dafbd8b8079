//! Process 1 of a sandbox: makes the world that a program sees, gives up every right, and starts the program.
//!
//! ```text
//! ◄── what the world is like (a line) and the list of system calls
//! leaves all namespaces of the host; mounts the world, and nothing else is there (mounts.rs)
//! becomes a user of a namespace in which no other can be made; drops what it may do; allows itself the listed calls only
//! ready ──►
//! ◄── the program (a line)
//! starts it, waits for it and for whatever is left to it
//! exit code ──► and ends, and with it everything inside
//! ```
//!
//! The steps and their order are those of `unshare(2)`, `user_namespaces(7)`, `pivot_root(2)` and `seccomp(2)`.

mod mounts;
mod network;
mod rights;

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read, Write},
    os::fd::RawFd,
    path::PathBuf,
    process::Command,
};

pub(crate) use rights::map;

use nix::{
    sched::{CloneFlags, unshare},
    sys::{prctl, signal::Signal},
    unistd::{self, setsid},
};
use rustix::{
    io::Errno,
    process::{Pid, WaitOptions, wait},
    system::{setdomainname, sethostname},
};
use seccompiler::{BpfProgram, sock_filter};
use serde::{Deserialize, Serialize};

use crate::{
    failure::{During, Failure},
    message::{self, Program},
};

/// Exit codes of a shell that cannot start what it is told to (POSIX, "Exit Status for Commands").
const NOT_FOUND: i32 = 127;
const NOT_STARTED: i32 = 126;

/// Arguments of process 1: `sandbox-init ORDERS STATUS`. Everybody inside can read them.
#[derive(Clone, Copy, Debug)]
pub struct InitArguments {
    /// The inherited end of the pipe from which it reads.
    pub orders: RawFd,
    /// The inherited end of the pipe to which it writes.
    pub status: RawFd,
}

impl InitArguments {
    /// The first argument.
    pub const COMMAND: &str = "sandbox-init";

    /// Reads the arguments of a process that is to be process 1 of a sandbox; `None` if it is to be something else.
    pub(crate) fn read(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<Self> {
        arguments.nth(1).filter(|command| command == Self::COMMAND)?;
        let mut number = || arguments.next()?.to_str()?.parse().ok();
        Some(Self { orders: number()?, status: number()? })
    }
}

/// What a program is to see. The list of system calls follows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct World {
    /// The folder that becomes `/`.
    pub root: PathBuf,
    /// What of the host is mounted at its own place, read-only.
    pub mounts: Vec<PathBuf>,
    /// Size of the work directory; `/tmp` has the same.
    pub workdir_bytes: u64,
    /// Processes and threads at a time, where no cgroup limits them.
    pub processes: Option<u64>,
    /// The length of the list of system calls.
    pub filter_bytes: u64,
}

/// What process 1 says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Everything is made.
    Ready,
    /// The program has ended with this code, or 128 + the signal that killed it.
    Exited(i32),
}

/// Makes the sandbox, runs one program and ends the process. Returns only if nothing could be started.
#[must_use]
pub(crate) fn init(arguments: InitArguments) -> Failure {
    match try_init(arguments) {
        Ok(()) => std::process::exit(0),
        Err(failure) => failure,
    }
}

fn try_init(arguments: InitArguments) -> Result<(), Failure> {
    let orders = taken_over(arguments.orders, OpenOptions::new().read(true)).during("taking orders")?;
    let status = taken_over(arguments.status, OpenOptions::new().write(true)).during("taking the launcher's ear")?;
    let mut orders = BufReader::new(orders);
    // Its end: the launcher is dead.
    let world: Option<World> = message::read(&mut orders).during("reading what the world is like")?;
    let Some(world) = world else { return Ok(()) };
    let filter = read_filter(&mut orders, world.filter_bytes).during("reading the list of system calls")?;

    make(&world, &filter)?;
    message::write(&Status::Ready, &status).during("saying that it is ready")?;

    let program: Option<Program> = message::read(&mut orders).during("reading the program")?;
    let Some(program) = program else { return Ok(()) };
    drop(orders);
    let code = run(&program);
    message::write(&Status::Exited(code), &status).during("telling the end")
}

/// An inherited end of a pipe, as one that is not inherited any further.
fn taken_over(number: RawFd, how: &mut OpenOptions) -> io::Result<File> {
    let file = how.open(format!("/proc/self/fd/{number}"))?;
    unistd::close(number)?;
    Ok(file)
}

/// Reads an array of `struct sock_filter` in the machine's byte order.
fn read_filter(from: &mut impl Read, bytes: u64) -> io::Result<BpfProgram> {
    let mut content = Vec::new();
    from.take(bytes).read_to_end(&mut content)?;
    if content.len() as u64 != bytes || !content.len().is_multiple_of(8) || content.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let steps = content.as_chunks::<8>().0.iter();
    let step = |&[c0, c1, jt, jf, k0, k1, k2, k3]: &[u8; 8]| sock_filter {
        code: u16::from_ne_bytes([c0, c1]),
        jt,
        jf,
        k: u32::from_ne_bytes([k0, k1, k2, k3]),
    };
    Ok(steps.map(step).collect())
}

/// Makes everything that does not depend on the program.
fn make(world: &World, filter: &BpfProgram) -> Result<(), Failure> {
    // No terminal is its own, and no signal of a terminal reaches it.
    setsid().during("beginning a session")?;
    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(namespaces).during("making namespaces")?;
    sethostname(b"sandbox").and_then(|()| setdomainname(b"(none)")).during("naming the host")?;
    network::bring_up_loopback().during("bringing up the loopback interface")?;
    mounts::make(world)?;
    rights::forbid_user_namespaces().during("forbidding user namespaces")?;
    mounts::protect()?;
    rights::give_up(world.processes)?;
    // From here on the launcher's end is this process's. Should it have ended before, so have the orders.
    prctl::set_pdeathsig(Signal::SIGKILL).during("tying itself to the launcher")?;
    // Nobody inside reads its memory or asks what it has open.
    prctl::set_dumpable(false).during("hiding from the program")?;
    seccompiler::apply_filter(filter).during("allowing the listed system calls only")
}

/// Runs the program, and returns its exit code. Whatever else ends meanwhile is waited for too.
fn run(program: &Program) -> i32 {
    let Some((name, arguments)) = program.command.split_first() else { return NOT_FOUND };
    let mut command = Command::new(name);
    command.args(arguments).env_clear().envs([
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", mounts::WORKSPACE),
        ("PWD", mounts::WORKSPACE),
        ("LANG", "C.UTF-8"),
    ]);
    command.envs(program.environment.iter().map(|(name, value)| (name, value)));
    // The standard library also gives SIGPIPE its default back, which Rust's start-up ignores.
    let child = match command.spawn() {
        Ok(child) => child.id().cast_signed(),
        Err(error) => {
            let _ = writeln!(io::stderr(), "{name}: {error}");
            return if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED };
        }
    };
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, how))) if Some(ended) == Pid::from_raw(child) => {
                let killed = how.terminating_signal().map(|signal| 128 + signal);
                return how.exit_status().or(killed).unwrap_or(NOT_STARTED);
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return NOT_STARTED,
        }
    }
}
