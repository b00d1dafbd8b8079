//! The launcher: a fresh process of our own binary that gives up everything, starts bubblewrap and watches the worker.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd, RawFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::OpenOptionsExt,
            net::{SocketAddr, UnixDatagram},
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
        stat::{Mode, umask},
    },
    unistd::{self, Gid, Pid, Uid},
};

use super::{
    LaunchArgs, bubblewrap,
    config::USERS,
    plan::{Plan, Report},
    seccomp::{self, SharedMemory},
    watch,
};

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
pub fn launch(arguments: &LaunchArgs) -> LaunchError {
    match try_launch(arguments) {
        Ok(code) => std::process::exit(code),
        Err(error) => error,
    }
}

fn try_launch(arguments: &LaunchArgs) -> Result<i32, LaunchError> {
    let plan: Plan = serde_json::from_str(&arguments.plan).during("reading the plan")?;
    close_inherited().during("closing inherited files")?;

    // The worker's own descriptors, by its number: nothing else has to be inheritable in a process full of threads.
    let lifeline = of_parent(&plan, plan.lifeline_fd, OpenOptions::new().read(true)).during("taking the lifeline")?;
    let code = of_parent(&plan, plan.code_fd, OpenOptions::new().read(true)).during("taking the code")?;
    let status = of_parent(&plan, plan.status_fd, OpenOptions::new().read(true).append(true));
    let status = status.during("taking the status file")?;
    check_parent(plan.parent)?;
    inheritable(&code).and_then(|()| inheritable(&status)).during("passing files on")?;

    // When the whole host runs out of memory, this goes first. Allowed to everybody; not everywhere is it there.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    for procs in &plan.cgroups {
        OpenOptions::new()
            .write(true)
            .open(procs)
            .and_then(|mut file| file.write_all(b"0"))
            .during("joining cgroup")?;
    }

    // Opened while still privileged: it may lie where the user below cannot go.
    let bwrap = OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(&plan.bwrap);
    let bwrap = bwrap.during("opening bubblewrap")?;
    umask(Mode::from_bits_truncate(0o022));

    let shared = if plan.cgroups.is_empty() { SharedMemory::Refused } else { SharedMemory::Allowed };
    let filter = seccomp::program(plan.language, shared).during("building the seccomp filter")?;
    let filter = in_memory(&filter).during("writing the filter")?;
    let world = bubblewrap::world(&plan, code.as_raw_fd(), status.as_raw_fd(), filter.as_raw_fd());
    // Through a file, since process 1 inside shows its arguments to everybody.
    let options = in_memory(&world.encoded()).during("writing bubblewrap's arguments")?;

    limit(&plan).during("setting limits")?;
    let taken = if Uid::effective().is_root() {
        let (user, taken) = take_user(plan.first_uid).during("taking a user (WORKROOM_SANDBOX_FIRST_UID)")?;
        become_user(user).during("becoming a user that may not be mapped here (WORKROOM_SANDBOX_FIRST_UID)")?;
        Some(taken)
    } else {
        None
    };
    prctl::set_no_new_privs().during("refusing new privileges")?;

    // The standard library also gives SIGPIPE its default back, which Rust's start-up ignores.
    let mut command = Command::new(format!("/proc/self/fd/{}", bwrap.as_raw_fd()));
    command.env_clear().arg0("bwrap").arg("--args").arg(options.as_raw_fd().to_string()).arg("--");
    let started = command.args(bubblewrap::command(&plan)).spawn();
    let mut monitor = started.during("starting bubblewrap")?;
    let (status, unlimited) = (Arc::new(status), plan.cgroups.is_empty());
    let seen = Arc::clone(&status);
    thread::Builder::new().spawn(move || hang_on(lifeline, &seen)).during("watching the worker")?;
    if unlimited {
        thread::Builder::new().spawn(move || watch::watch(&plan, &status)).during("watching the memory")?;
    }
    let ended = monitor.wait().during("waiting for bubblewrap")?;
    // Not before: the sandbox is gone.
    drop(taken);
    Ok(ended.code().or_else(|| ended.signal().map(|signal| 128 + signal)).unwrap_or(1))
}

/// Waits until the worker is gone or has let go, then kills process 1 of the sandbox, with which all of it dies.
/// bubblewrap itself is not killed: before it knows process 1, nobody does.
fn hang_on(mut lifeline: File, status: &File) {
    // Nothing is ever written: whatever comes is the end.
    let _ = lifeline.read(&mut [0]);
    loop {
        if let Ok(Report { child_pid: Some(first), .. }) = Report::read(status) {
            // It may have ended just now.
            let _ = kill(Pid::from_raw(first), Signal::SIGKILL);
        }
        // Again, until bubblewrap ends, and with it this process.
        thread::sleep(Duration::from_millis(1));
    }
}

fn check_parent(parent: i32) -> Result<(), LaunchError> {
    if unistd::getppid().as_raw() == parent {
        Ok(())
    } else {
        Err("the worker is gone").during("looking for the worker")
    }
}

/// Closes everything but the standard streams: files that the worker itself inherited are not for the program.
fn close_inherited() -> io::Result<()> {
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&number| number > 2)
        .collect();
    for number in open {
        // One of them was the listing itself, closed already.
        let _ = unistd::close(number);
    }
    Ok(())
}

fn of_parent(plan: &Plan, number: RawFd, how: &mut OpenOptions) -> io::Result<File> {
    how.open(format!("/proc/{}/fd/{number}", plan.parent))
}

fn inheritable(file: impl AsFd) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

/// An inheritable in-memory file, at its beginning.
fn in_memory(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("sandbox", MFdFlags::empty())?);
    file.write_all(content)?;
    io::Seek::rewind(&mut file)?;
    Ok(file.into())
}

fn limit(plan: &Plan) -> nix::Result<()> {
    let limits = [
        // Not 0: piped core dumps ignore the limit, except for 1 (core(5), `do_coredump`).
        (Resource::RLIMIT_CORE, 1),
        (Resource::RLIMIT_CPU, plan.cpu_seconds),
        (Resource::RLIMIT_FSIZE, plan.file_size_bytes),
        (Resource::RLIMIT_NOFILE, plan.open_files),
        (Resource::RLIMIT_STACK, 8 * 1024 * 1024),
        (Resource::RLIMIT_MEMLOCK, 64 * 1024),
        (Resource::RLIMIT_MSGQUEUE, 64 * 1024),
    ];
    for (resource, value) in limits {
        lower(resource, value)?;
    }
    if plan.cgroups.is_empty() {
        // Private memory that can be written. (Not RLIMIT_AS, which counts what is merely reserved as well: threads do so
        // by the ten megabytes, and node by the gigabyte.)
        lower(Resource::RLIMIT_DATA, plan.memory_bytes)?;
    }
    Ok(())
}

/// Sets a limit for good, or leaves a lower one as it is: only root could raise it.
fn lower(resource: Resource, value: u64) -> nix::Result<()> {
    let (_, highest) = getrlimit(resource)?;
    setrlimit(resource, value.min(highest), value.min(highest))
}

/// Takes the first user that no other sandbox of this host has: many limits of the kernel are a user's. A name of an
/// abstract socket is the token of it, since the kernel takes it back whenever and however its holder ends.
fn take_user(first: u32) -> io::Result<(u32, UnixDatagram)> {
    // Root itself is in no range.
    for user in first.max(1)..first.max(1).saturating_add(USERS) {
        let name = SocketAddr::from_abstract_name(format!("workroom-sandbox/{user}"))?;
        match UnixDatagram::bind_addr(&name) {
            Ok(taken) => return Ok((user, taken)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{USERS} from {first} on are taken")))
}

fn become_user(user: u32) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    unistd::setgroups(&[])?;
    unistd::setresgid(gid, gid, gid)?;
    unistd::setresuid(uid, uid, uid)
}

trait During<T> {
    fn during(self, step: &'static str) -> Result<T, LaunchError>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> During<T> for Result<T, E> {
    fn during(self, step: &'static str) -> Result<T, LaunchError> {
        self.map_err(|source| LaunchError { step, source: source.into() })
    }
}
