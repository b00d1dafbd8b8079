//! The hidden subcommand `workroom-dev exec-child`: prepares its own process, then becomes another program.
//!
//! What a child must do between fork and exec (ask the kernel to be signalled when its parent dies, enter a user
//! namespace) needs unsafe code in the parent, but is plain safe code in a fresh process. So the service starts its own
//! binary, and this function, in a process that has a single thread, does the rest and execs.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, anyhow};
use nix::sys::signal::Signal;
use nix::unistd;

/// The arguments of `exec-child`; [`super::child::Spawner`] is the only one to write them.
#[derive(Debug, clap::Args)]
pub struct ExecChild {
    /// The process that must still be the parent, so that one that died meanwhile is noticed.
    #[arg(long)]
    pub parent: u32,
    /// What the kernel sends when the parent dies.
    #[arg(long, value_enum)]
    pub death_signal: DeathSignal,
    /// Enter a user namespace in which the caller is user and group `--uid` and `--gid`.
    #[arg(long, requires = "uid", requires = "gid")]
    pub user_namespace: bool,
    /// The user to be; without `--user-namespace` the process must be root and drops to it for good.
    #[arg(long, requires = "gid")]
    pub uid: Option<u32>,
    /// The group to be.
    #[arg(long, requires = "uid")]
    pub gid: Option<u32>,
    /// The folder to start in.
    #[arg(long)]
    pub cwd: Option<PathBuf>,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// How a child is told that the service has died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeathSignal {
    /// SIGINT: for Postgres a fast, clean shutdown.
    Int,
    /// SIGTERM: for NATS a clean shutdown.
    Term,
    /// SIGQUIT: for Postgres an immediate stop, without a checkpoint.
    Quit,
    /// SIGKILL: for helpers that have nothing to save.
    Kill,
}

impl DeathSignal {
    /// The signal itself.
    pub fn signal(self) -> Signal {
        match self {
            Self::Int => Signal::SIGINT,
            Self::Term => Signal::SIGTERM,
            Self::Quit => Signal::SIGQUIT,
            Self::Kill => Signal::SIGKILL,
        }
    }

    /// The spelling on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Term => "term",
            Self::Quit => "quit",
            Self::Kill => "kill",
        }
    }
}

/// Becomes the program in `args`; returns only when that failed, with the reason.
///
/// Must be called before any other thread exists: the kernel refuses a user namespace to a process with two threads.
pub fn exec_child(args: &ExecChild) -> anyhow::Error {
    match prepare(args) {
        Ok(mut command) => {
            let program = command.get_program().to_string_lossy().into_owned();
            anyhow!(command.exec()).context(format!("{program} cannot be run"))
        }
        Err(error) => error,
    }
}

fn prepare(args: &ExecChild) -> anyhow::Result<Command> {
    default_signals().context("the handling of signals cannot be reset")?;
    // A session of its own: a Ctrl-C at the terminal reaches the service, which then stops its children in order.
    unistd::setsid().context("a new session cannot be opened")?;
    if let Some(cwd) = &args.cwd {
        std::env::set_current_dir(cwd).with_context(|| format!("{} cannot be entered", cwd.display()))?;
    }
    if let (Some(uid), Some(gid)) = (args.uid, args.gid) {
        if args.user_namespace {
            enter_user_namespace(uid, gid)?;
        } else {
            drop_privileges(uid, gid)?;
        }
    }
    // Only now: the kernel forgets the request when the user changes.
    die_with_parent(args.death_signal)?;
    // The parent may have died before the request was made, and then no signal will ever come.
    if u32::try_from(unistd::getppid().as_raw()).ok() != Some(args.parent) {
        anyhow::bail!("the parent process {} is gone", args.parent);
    }
    let (program, rest) = args.command.split_first().context("no program is given")?;
    let mut command = Command::new(program);
    command.args(rest);
    Ok(command)
}

/// Makes the program start with the default reaction to SIGINT and SIGQUIT.
///
/// A shell ignores them for what it runs in the background, programs inherit that, and then a death signal that comes
/// before the program has installed its own handlers would be lost. Handlers become defaults at exec; so it is enough
/// to install any.
fn default_signals() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // The runtime of one thread starts no other, which a user namespace could not bear.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _guard = runtime.enter();
    for kind in [SignalKind::interrupt(), SignalKind::quit()] {
        drop(signal(kind)?);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn die_with_parent(signal: DeathSignal) -> anyhow::Result<()> {
    nix::sys::prctl::set_pdeathsig(signal.signal()).context("the kernel refuses a parent-death signal")
}

/// Elsewhere nothing like it exists, and a killed service leaves its servers to the next start, which ends them.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: DeathSignal) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn enter_user_namespace(uid: u32, gid: u32) -> anyhow::Result<()> {
    let (caller, group) = (unistd::geteuid(), unistd::getegid());
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).context("a user namespace is refused")?;
    // The kernel wants `deny` first, so that a group cannot be dropped to gain what it was denied.
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{uid} {caller} 1")),
        ("gid_map", format!("{gid} {group} 1")),
    ] {
        std::fs::write(format!("/proc/self/{file}"), text)
            .with_context(|| format!("{file} of the user namespace is refused"))?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn enter_user_namespace(_: u32, _: u32) -> anyhow::Result<()> {
    anyhow::bail!("this system has no user namespaces")
}

#[cfg(target_os = "linux")]
fn drop_privileges(uid: u32, gid: u32) -> anyhow::Result<()> {
    let gid = unistd::Gid::from_raw(gid);
    unistd::setgroups(&[gid]).context("the groups cannot be dropped")?;
    unistd::setgid(gid).context("the group cannot be changed")?;
    unistd::setuid(unistd::Uid::from_raw(uid)).context("the user cannot be changed")
}

#[cfg(not(target_os = "linux"))]
fn drop_privileges(_: u32, _: u32) -> anyhow::Result<()> {
    anyhow::bail!("run as an ordinary user on this system")
}
