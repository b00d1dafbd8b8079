//! Starting process 1 of a sandbox: this program once more, in a process namespace of its own.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::process::CommandExt},
    process::{Child, Command},
    sync::mpsc,
    thread,
};

use nix::{
    fcntl::OFlag,
    sched::{CloneFlags, unshare},
    unistd::pipe2,
};

use super::confine;
use crate::{
    failure::{During, Failure},
    init::InitArguments,
};

/// The running program, also when its file was replaced.
const ITSELF: &str = "/proc/self/exe";

/// The launcher's ends of the pipes to process 1.
pub(super) struct Pipes {
    pub orders: File,
    pub statuses: File,
}

/// Starts it. It dies with this process.
pub(super) fn process_one() -> Result<(Child, Pipes), Failure> {
    let (ordered, orders) = pipe2(OFlag::O_CLOEXEC).during("making pipes")?;
    let (statuses, status) = pipe2(OFlag::O_CLOEXEC).during("making pipes")?;
    confine::inheritable(&ordered).and_then(|()| confine::inheritable(&status)).during("passing pipes on")?;
    let mut command = Command::new(ITSELF);
    command.arg0("sandbox").arg(InitArguments::COMMAND);
    command.args([ordered.as_raw_fd().to_string(), status.as_raw_fd().to_string()]);
    let child = spawn(command).during("starting process 1")?;
    Ok((child, Pipes { orders: orders.into(), statuses: statuses.into() }))
}

/// Starts a command as process 1 of a new process namespace. A thread whose children are to be in another namespace can have no
/// further threads; so one of its own does that, and stays: process 1 is killed when the thread that has started it ends.
fn spawn(mut command: Command) -> io::Result<Child> {
    let (tell, told) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let started = unshare(CloneFlags::CLONE_NEWPID).map_err(io::Error::from).and_then(|()| command.spawn());
        // It starts nothing else.
        let started = started.and_then(|child| confine::keep_looking().map(|()| child));
        if tell.send(started).is_ok() {
            loop {
                thread::park();
            }
        }
    })?;
    told.recv().map_err(io::Error::other)?
}
