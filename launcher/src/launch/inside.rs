//! The folders of a sandbox that its program can write to, seen from outside.
//!
//! They are opened while nobody but our own process 1 is inside, and kept: their file systems live on for as long as they are
//! open here, also when all of the sandbox is dead.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::{
        stat::{Mode, mkdirat},
        statfs::{TMPFS_MAGIC, fstatfs},
        statvfs::fstatvfs,
    },
    unistd::Pid,
};

/// Where artifacts are left, below the work folder.
pub(super) const ARTIFACTS: &str = "artifacts";

/// Folders of a sandbox.
pub(super) struct Inside {
    workspace: OwnedFd,
    others: [OwnedFd; 2],
}

impl Inside {
    /// Opens the folders of the sandbox whose process 1 has this number outside.
    pub(super) fn open(first: Pid) -> io::Result<Self> {
        let root = PathBuf::from(format!("/proc/{first}/root"));
        let open = |name: &str| -> io::Result<OwnedFd> {
            let folder = File::open(root.join(name))?;
            // A file system of its own, whatever else may be wrong.
            if fstatfs(&folder)?.filesystem_type() != TMPFS_MAGIC || !folder.metadata()?.is_dir() {
                return Err(io::Error::other(format!("{name} is not the sandbox's own")));
            }
            Ok(folder.into())
        };
        Ok(Self { workspace: open("workspace")?, others: [open("tmp")?, open("dev/shm")?] })
    }

    /// The work folder.
    pub(super) fn workspace(&self) -> BorrowedFd<'_> {
        self.workspace.as_fd()
    }

    /// Writes a file of the program, whose path was checked. Nothing hostile runs inside yet.
    pub(super) fn write(&self, path: &str, content: &mut impl Read) -> io::Result<u64> {
        let mut above: Vec<&Path> = Path::new(path).ancestors().skip(1).collect();
        above.pop(); // the work folder itself
        for folder in above.into_iter().rev() {
            self.make_folder(folder)?;
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&self.workspace, Path::new(path), flags, Mode::from_bits_truncate(0o644))?;
        io::copy(content, &mut File::from(file))
    }

    /// Makes the folder of artifacts, if none of the program's files has done so.
    pub(super) fn make_artifacts(&self) -> io::Result<()> {
        self.make_folder(Path::new(ARTIFACTS))
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        match mkdirat(&self.workspace, folder, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a folder has no room left, for content or for further files.
    pub(super) fn is_full(&self) -> bool {
        [&self.workspace].into_iter().chain(&self.others).any(|folder| {
            let full = |found: nix::sys::statvfs::Statvfs| {
                found.blocks_free() == 0 || (found.files() > 0 && found.files_free() == 0)
            };
            fstatvfs(folder).is_ok_and(full)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/dev/shm` is in memory wherever tests run.
    fn folder() -> (tempfile::TempDir, Inside) {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let open = || File::open(folder.path()).unwrap().into();
        let inside = Inside { workspace: open(), others: [open(), open()] };
        (folder, inside)
    }

    #[test]
    fn files_are_written_with_the_folders_above() {
        let (folder, inside) = folder();
        assert_eq!(inside.write("a/b/c", &mut &b"xyz"[..]).unwrap(), 3);
        assert_eq!(inside.write("a/b/d", &mut &b""[..]).unwrap(), 0);
        assert_eq!(inside.write("artifacts/in", &mut &b"1"[..]).unwrap(), 1);
        inside.make_artifacts().unwrap();
        assert_eq!(std::fs::read(folder.path().join("a/b/c")).unwrap(), b"xyz");
        assert!(inside.write("a/b/c", &mut &b"again"[..]).is_err());
        assert!(!inside.is_full());
    }

    #[test]
    fn the_host_itself_is_no_sandbox() {
        assert!(Inside::open(Pid::this()).is_err());
    }
}
