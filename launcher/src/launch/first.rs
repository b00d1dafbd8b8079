//! Process 1 of a sandbox. All others in it die with it.

use std::{io, os::fd::OwnedFd};

use nix::unistd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Process 1, held by a descriptor: its number may be another process's once it has been waited for.
pub(super) struct First {
    number: unistd::Pid,
    held: OwnedFd,
}

impl First {
    /// Holds the process that has this number outside.
    pub(super) fn hold(number: i32) -> io::Result<Self> {
        let pid = Pid::from_raw(number).ok_or(io::ErrorKind::InvalidInput)?;
        let held = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { number: unistd::Pid::from_raw(number), held })
    }

    /// Its number outside.
    pub(super) fn number(&self) -> unistd::Pid {
        self.number
    }

    /// Kills it, and with it everything. It may have ended just now.
    pub(super) fn kill(&self) {
        let _ = pidfd_send_signal(&self.held, Signal::KILL);
    }
}
