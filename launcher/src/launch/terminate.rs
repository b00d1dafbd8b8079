//! Asking all processes of a sandbox to end.
//!
//! They have other numbers inside than outside, and numbers are given out again. So a process is first held by a
//! descriptor, then looked at, and only then sent the signal, through the descriptor: whatever its number has become, no
//! process outside of the sandbox gets it. Process 1 is our own; the kernel keeps SIGTERM from it.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use nix::unistd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Sends SIGTERM to all processes in the process namespace of process 1.
pub(super) fn all_of(first: unistd::Pid) {
    let Some(inside) = of_sandbox(Path::new(&format!("/proc/{first}"))) else { return };
    for (number, folder) in processes() {
        let Ok(process) = pidfd_open(number, PidfdFlags::empty()) else { continue };
        if namespace(&folder).is_ok_and(|namespace| namespace == inside) {
            // It may have ended just now.
            let _ = pidfd_send_signal(&process, Signal::TERM);
        }
    }
}

/// A name of the process namespace of process 1. None where it has ended, also if its number is that of a process outside by now.
fn of_sandbox(first: &Path) -> Option<OsString> {
    let (inside, outside) = (namespace(first).ok()?, namespace(Path::new("/proc/self")).ok()?);
    (inside != outside).then_some(inside)
}

/// All processes that can be seen, with their folders.
fn processes() -> impl Iterator<Item = (Pid, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let number = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
        Some((number, entry.path()))
    })
}

/// A name of the process namespace of a process. Others' namespaces cannot be read.
fn namespace(process: &Path) -> io::Result<OsString> {
    Ok(fs::read_link(process.join("ns/pid"))?.into_os_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_all_and_in_its_namespace() {
        let own = Pid::from_raw(std::process::id().cast_signed()).unwrap();
        let folder = processes().find(|(number, _)| *number == own).map(|(_, folder)| folder).unwrap();
        assert_eq!(namespace(&folder).unwrap(), namespace(Path::new("/proc/self")).unwrap());
    }

    #[test]
    fn the_host_itself_is_not_asked_to_end() {
        assert_eq!(of_sandbox(Path::new("/proc/self")), None);
        assert_eq!(of_sandbox(Path::new("/proc/0")), None, "nobody has this number");
    }
}
