//! Asking all processes of a sandbox to end.
//!
//! They have other numbers inside than outside, and numbers are given out again. So a process is first held by a
//! descriptor, then looked at, and only then sent the signal, through the descriptor: whatever its number has become, no
//! process outside of the sandbox gets it. Process 1 is bubblewrap's own; the kernel keeps SIGTERM from it.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use nix::unistd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Sends SIGTERM to all processes in the process namespace of process 1.
pub(super) fn all_of(first: unistd::Pid) {
    // It has ended.
    let Ok(inside) = namespace(Path::new(&format!("/proc/{first}"))) else { return };
    for (number, folder) in processes() {
        let Ok(process) = pidfd_open(number, PidfdFlags::empty()) else { continue };
        if namespace(&folder).is_ok_and(|namespace| namespace == inside) {
            // It may have ended just now.
            let _ = pidfd_send_signal(&process, Signal::TERM);
        }
    }
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
}
