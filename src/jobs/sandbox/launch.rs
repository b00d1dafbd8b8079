//! The launcher: a fresh process of our own binary that gives up everything and becomes bubblewrap.

use std::{
    convert::Infallible,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd, RawFd},
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    process::Command,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::Signal,
        stat::{Mode, umask},
    },
    unistd::{self, Gid, Uid},
};

use super::{Language, LaunchArgs, bubblewrap, plan::Plan, seccomp};

/// Why nothing was started. The worker reads it from the launcher's standard error.
#[derive(Debug, thiserror::Error)]
#[error("sandbox launcher: {step}")]
pub struct LaunchError {
    step: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Becomes the sandbox. Returns only if it cannot.
///
/// Must run before the process has a second thread: limits, users and the death signal belong to threads.
#[must_use]
pub fn launch(arguments: &LaunchArgs) -> LaunchError {
    match try_launch(arguments) {
        Err(error) => error,
    }
}

fn try_launch(arguments: &LaunchArgs) -> Result<Infallible, LaunchError> {
    let plan: Plan = serde_json::from_str(&arguments.plan).during("reading the plan")?;
    die_with(plan.parent)?;
    close_inherited().during("closing inherited files")?;

    // The worker's own descriptors, by its number: nothing else has to be inheritable in a process full of threads.
    let code = of_parent(&plan, plan.code_fd, OpenOptions::new().read(true)).during("taking the code")?;
    let status = of_parent(&plan, plan.status_fd, OpenOptions::new().append(true)).during("taking the status file")?;
    check_parent(plan.parent)?;

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

    let filter = in_memory(&seccomp::program().during("building the seccomp filter")?).during("writing the filter")?;
    let world = bubblewrap::world(&plan, code.as_raw_fd(), status.as_raw_fd(), filter.as_raw_fd(), in_memory);
    let world = world.during("describing the sandbox")?;
    // Through a file, since process 1 inside shows its arguments to everybody.
    let options = in_memory(&world.encoded()).during("writing bubblewrap's arguments")?;

    limit(&plan).during("setting limits")?;
    if Uid::effective().is_root() {
        drop_root(&plan).during("dropping root")?;
    }
    prctl::set_no_new_privs().during("refusing new privileges")?;
    die_with(plan.parent)?; // again: changing the user has cleared it

    // The standard library's `exec` also gives SIGPIPE its default back, which Rust's start-up ignores.
    let mut become_bwrap = Command::new(format!("/proc/self/fd/{}", bwrap.as_raw_fd()));
    become_bwrap.env_clear().arg0("bwrap").arg("--args").arg(options.as_raw_fd().to_string()).arg("--");
    Err(become_bwrap.args(bubblewrap::command(&plan)).exec()).during("starting bubblewrap")
}

/// Has the kernel kill this process, and with it the sandbox, when the worker ends in whatever way.
fn die_with(parent: i32) -> Result<(), LaunchError> {
    prctl::set_pdeathsig(Signal::SIGKILL).during("tying the sandbox to the worker")?;
    check_parent(parent)
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
    let file = how.open(format!("/proc/{}/fd/{number}", plan.parent))?;
    inheritable(&file)?;
    Ok(file)
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
        // Private memory that can be written.
        lower(Resource::RLIMIT_DATA, plan.memory_bytes)?;
        // Shared memory is in no limit but this one, which counts what is merely reserved as well: threads do so by the
        // ten megabytes, and node by the gigabyte.
        if plan.language != Language::Javascript {
            lower(Resource::RLIMIT_AS, plan.memory_bytes.saturating_mul(4))?;
        }
    }
    Ok(())
}

/// Sets a limit for good, or leaves a lower one as it is: only root could raise it.
fn lower(resource: Resource, value: u64) -> nix::Result<()> {
    let (_, highest) = getrlimit(resource)?;
    setrlimit(resource, value.min(highest), value.min(highest))
}

fn drop_root(plan: &Plan) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(plan.uid), Gid::from_raw(plan.gid));
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
