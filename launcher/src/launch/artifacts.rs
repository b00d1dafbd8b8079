//! Reading what a program has left below `/workspace/artifacts`.
//!
//! All of the sandbox is dead by then, so nobody changes what is read; the launcher is an ordinary user without
//! capabilities; and the kernel is told that no path may lead out (`openat2`): over no link, no mount, no `..`. Only
//! regular files are read. A file counts by its length, however much of it is a hole.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
};

use super::inside::ARTIFACTS;
use crate::message::{self, ArtifactLimits, Entry, Message};

/// Most entries that are looked at; what comes after them is not even counted.
const MAX_ENTRIES: usize = 10_000;
/// Most folders within each other.
const MAX_DEPTH: usize = 32;

/// Writes the artifacts in a work folder to a pipe.
pub(super) fn collect(workspace: BorrowedFd<'_>, limits: ArtifactLimits, mut to: impl Write) -> io::Result<()> {
    let mut walk = Walk { limits, seen: 0, found: BTreeMap::new(), dropped: 0 };
    match open(workspace, Path::new(ARTIFACTS), OFlag::O_DIRECTORY) {
        Ok(folder) => {
            walk.folder(&folder, "", 0);
            walk.send(folder.as_fd(), &mut to)?;
        }
        Err(Errno::ENOENT) => {}
        // Something else has its name, such as a link.
        Err(_) => walk.dropped += 1,
    }
    message::write(&Message::Collected { dropped: walk.dropped }, to)
}

/// A walk through the folder.
struct Walk {
    limits: ArtifactLimits,
    seen: usize,
    /// Regular files with their lengths, in the order of their paths.
    found: BTreeMap<String, u64>,
    dropped: u32,
}

impl Walk {
    fn folder(&mut self, folder: &File, above: &str, depth: usize) {
        // The folder that is open, whatever its name is by now.
        let Ok(entries) = fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd())) else {
            self.dropped += 1;
            return;
        };
        for entry in entries.flatten() {
            if self.seen == MAX_ENTRIES {
                return;
            }
            self.seen += 1;
            let name = entry.file_name();
            let path =
                name.to_str().map(|name| if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") });
            let Some(path) = path.filter(|path| path.len() <= self.limits.path_bytes) else {
                self.dropped += 1;
                continue;
            };
            // Of the entry itself, not of what a link leads to.
            let Ok(found) = entry.metadata() else {
                self.dropped += 1;
                continue;
            };
            if found.is_file() {
                self.found.insert(path, found.len());
            } else if found.is_dir() && depth < MAX_DEPTH {
                match open(folder.as_fd(), Path::new(&name), OFlag::O_DIRECTORY) {
                    Ok(inner) => self.folder(&inner, &path, depth + 1),
                    Err(_) => self.dropped += 1,
                }
            } else {
                self.dropped += 1;
            }
        }
    }

    /// Sends what fits.
    fn send(&mut self, folder: BorrowedFd<'_>, mut to: impl Write) -> io::Result<()> {
        let (mut files, mut room) = (self.limits.files, self.limits.bytes);
        for (path, bytes) in std::mem::take(&mut self.found) {
            let fits = files > 0 && bytes <= room;
            // Its owner may have taken away even its own right to read.
            let file = fits.then(|| open(folder, Path::new(&path), OFlag::O_NONBLOCK | OFlag::O_NOCTTY).ok()).flatten();
            let Some(file) = file.filter(|file| file.metadata().is_ok_and(|now| now.is_file() && now.len() == bytes))
            else {
                self.dropped += 1;
                continue;
            };
            files -= 1;
            room -= bytes;
            message::write(&Message::Artifact(Entry { path, bytes }), &mut to)?;
            if io::copy(&mut file.take(bytes), &mut to)? != bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// Opens what is below a folder, for reading, on no way that leads out of it.
fn open(folder: BorrowedFd<'_>, path: &Path, flags: OFlag) -> nix::Result<File> {
    let flags = flags | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS
        | ResolveFlag::RESOLVE_NO_XDEV;
    Ok(File::from(openat2(folder, path, OpenHow::new().flags(flags).resolve(resolve))?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    const LIMITS: ArtifactLimits = ArtifactLimits { files: 100, bytes: 1024, path_bytes: 255 };

    /// What is collected from a work folder: paths and contents, and how many were dropped.
    fn collected(workspace: &Path, limits: ArtifactLimits) -> (Vec<(String, Vec<u8>)>, u32) {
        let mut pipe = Vec::new();
        collect(File::open(workspace).unwrap().as_fd(), limits, &mut pipe).unwrap();
        let (mut from, mut files) = (pipe.as_slice(), Vec::new());
        loop {
            match message::read(&mut from).unwrap().unwrap() {
                Message::Artifact(Entry { path, bytes }) => {
                    let mut content = Vec::new();
                    (&mut from).take(bytes).read_to_end(&mut content).unwrap();
                    files.push((path, content));
                }
                Message::Collected { dropped } => return (files, dropped),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn regular_files_are_read_and_nothing_else() {
        let workspace = tempfile::tempdir().unwrap();
        let folder = workspace.path().join(ARTIFACTS);
        assert_eq!(collected(workspace.path(), LIMITS), (Vec::new(), 0), "there is none");
        fs::create_dir_all(folder.join("b/c")).unwrap();
        fs::write(folder.join("b/c/d"), "deep").unwrap();
        fs::write(folder.join("a"), "top").unwrap();
        fs::write(workspace.path().join("secret"), "secret").unwrap();
        symlink("../secret", folder.join("link")).unwrap();
        symlink("/etc", folder.join("folder")).unwrap();
        mkfifo(&folder.join("fifo"), Mode::from_bits_truncate(0o666)).unwrap();
        fs::write(folder.join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
        let longest = "y".repeat(255);
        fs::write(folder.join(&longest), "longest").unwrap();
        fs::write(folder.join("b").join(&longest), "longer").unwrap();

        let (files, dropped) = collected(workspace.path(), LIMITS);
        let expected = [("a", "top"), ("b/c/d", "deep"), (longest.as_str(), "longest")];
        assert_eq!(files, expected.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())));
        assert_eq!(dropped, 5, "two links, a fifo, two names");
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_leads_nowhere() {
        let workspace = tempfile::tempdir().unwrap();
        symlink("/etc", workspace.path().join(ARTIFACTS)).unwrap();
        assert_eq!(collected(workspace.path(), LIMITS), (Vec::new(), 1));
    }

    #[test]
    fn they_are_bounded_in_number_and_by_length() {
        let workspace = tempfile::tempdir().unwrap();
        let folder = workspace.path().join(ARTIFACTS);
        fs::create_dir(&folder).unwrap();
        File::create(folder.join("hole")).unwrap().set_len(1 << 40).unwrap();
        fs::write(folder.join("large"), vec![b'x'; 1000]).unwrap();
        fs::write(folder.join("small"), vec![b'x'; 24]).unwrap();
        fs::write(folder.join("tiny"), "x").unwrap();
        let names = |(files, dropped): (Vec<(String, Vec<u8>)>, u32)| {
            (files.into_iter().map(|(path, _)| path).collect::<Vec<_>>().join(" "), dropped)
        };
        assert_eq!(names(collected(workspace.path(), LIMITS)), ("large small".to_owned(), 2));
        let one = ArtifactLimits { files: 1, ..LIMITS };
        assert_eq!(names(collected(workspace.path(), one)), ("large".to_owned(), 3));
    }
}
