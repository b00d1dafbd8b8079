//! The data folder: everything that a development instance keeps lies in it, and nothing outside is touched.
//!
//! | path | holds |
//! |---|---|
//! | `workroom-data` | the marker: only a folder with it is ever emptied |
//! | `lock` | held (flock) by the instance that uses the folder |
//! | `tools/` | fetched programs, shared by all instances; survives a reset |
//! | `postgres/`, `nats/` | the servers' own data |
//! | `secrets/`, `ports/` | passwords (0600) and ports, one file each |
//! | `log/` | what the servers and the package clients print |
//! | `templates/` | a new cluster, copied for each ephemeral instance |
//! | `ephemeral/` | instances that live as long as one process; each one is such a folder itself |

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, anyhow, bail};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use nix::fcntl::{Flock, FlockArg};

/// The file that says that a folder is a Workroom data folder.
pub const MARKER: &str = "workroom-data";
const MARKER_TEXT: &str = "This folder belongs to a Workroom development instance; `./dev reset` empties it.\n";

/// What must be free on the disk before anything is started, in bytes.
pub const MIN_FREE: u64 = 200 * 1024 * 1024;

/// An opened data folder; that it exists and is marked is already checked.
#[derive(Debug, Clone)]
pub struct DataFolder {
    root: PathBuf,
}

/// Tells the probes of concurrent openings apart.
static PROBES: AtomicU32 = AtomicU32::new(0);

impl DataFolder {
    /// Makes and marks the folder, or opens one made earlier.
    ///
    /// Fails, in one sentence, when it cannot be made or written, or holds somebody else's files.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(root).context("the path of the data folder is not usable")?;
        if root.exists() && !root.is_dir() {
            bail!("{} is not a folder: choose another one as the data folder", root.display());
        }
        fs::create_dir_all(&root).map_err(|error| unwritable(&root, &error))?;
        let marker = root.join(MARKER);
        if !marker.is_file() {
            let mut entries = fs::read_dir(&root).map_err(|error| unwritable(&root, &error))?;
            // Looked at again: another start may have marked the folder a moment ago.
            if entries.next().is_some() && !marker.is_file() {
                bail!("{} is not empty and not a Workroom data folder: choose another one", root.display());
            }
            fs::write(&marker, MARKER_TEXT).map_err(|error| unwritable(&root, &error))?;
        }
        // Git must not see it, wherever it lies.
        let ignore = root.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(|error| unwritable(&root, &error))?;
        }
        let folder = Self { root };
        for part in [folder.log(), folder.tools()] {
            fs::create_dir_all(&part).map_err(|error| unwritable(&folder.root, &error))?;
        }
        // The marker may be another user's: that this user can write is shown by writing only.
        let number = PROBES.fetch_add(1, Ordering::Relaxed);
        let probe = folder.root.join(format!(".probe-{}-{number}", std::process::id()));
        fs::write(&probe, b"")
            .and_then(|()| fs::remove_file(&probe))
            .map_err(|error| unwritable(&folder.root, &error))?;
        Ok(folder)
    }

    /// The folder's absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where fetched programs are.
    pub fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }

    /// Where logs are.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Where instances that live as long as one process are.
    pub fn ephemeral(&self) -> PathBuf {
        self.root.join("ephemeral")
    }

    /// Locks the folder for this process; a second instance is refused with one sentence.
    pub fn lock(&self) -> anyhow::Result<FolderLock> {
        try_lock(&self.root)?.ok_or_else(|| {
            anyhow!(
                "another Workroom instance{} uses {}: stop it first, or choose another data folder",
                holder(&self.root),
                self.root.display()
            )
        })
    }

    /// Bytes free on the folder's disk for this user.
    pub fn free_space(&self) -> anyhow::Result<u64> {
        free_space(&self.root)
    }

    /// Fails with one sentence when the disk is nearly full.
    pub fn check_free_space(&self) -> anyhow::Result<()> {
        let free = self.free_space()?;
        if free < MIN_FREE {
            bail!(
                "the disk that holds {} is nearly full: {} MB are free and {} MB are needed",
                self.root.display(),
                free / (1024 * 1024),
                MIN_FREE / (1024 * 1024)
            );
        }
        Ok(())
    }

    /// Reads a secret kept in the folder, or makes one of 192 random bits, readable by this user only.
    pub fn secret(&self, name: &str) -> anyhow::Result<String> {
        let path = self.part("secrets")?.join(name);
        if let Some(secret) = read_line(&path) {
            return Ok(secret);
        }
        let secret = random_hex::<24>()?;
        write_whole(&path, &secret, 0o600)?;
        Ok(secret)
    }

    /// The port used last time for `name`.
    pub fn port(&self, name: &str) -> Option<u16> {
        read_line(&self.root.join("ports").join(name))?.parse().ok()
    }

    /// Keeps the port for the next start.
    pub fn keep_port(&self, name: &str, port: u16) -> anyhow::Result<()> {
        write_whole(&self.part("ports")?.join(name), &port.to_string(), 0o644)
    }

    fn part(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).map_err(|error| unwritable(&self.root, &error))?;
        Ok(path)
    }
}

/// Turns a failed write in the data folder into one sentence; a full disk has its own.
pub fn unwritable(root: &Path, error: &std::io::Error) -> anyhow::Error {
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        anyhow!("the disk that holds {} is full: free some space, then start again", root.display())
    } else {
        anyhow!("the data folder {} cannot be written: {error}", root.display())
    }
}

/// Bytes free for this user on the disk that holds `path`.
pub fn free_space(path: &Path) -> anyhow::Result<u64> {
    let stat =
        nix::sys::statvfs::statvfs(path).with_context(|| format!("the free space of {} is unknown", path.display()))?;
    // The types of the fields differ between systems.
    #[allow(clippy::useless_conversion)]
    Ok(u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size())))
}

/// Held while an instance uses a folder; the kernel lets go of it however the process ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: Flock<File>,
}

/// Locks a folder, or says with `None` that somebody else holds it.
pub fn try_lock(root: &Path) -> anyhow::Result<Option<FolderLock>> {
    let path = root.join("lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| unwritable(root, &error))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut file) => {
            // The process id is for the reader of the other's refusal; the lock does not depend on it.
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            Ok(Some(FolderLock { _file: file }))
        }
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(anyhow!("the lock {} cannot be taken: {error}", path.display())),
    }
}

/// Who holds the lock, as words for a sentence.
pub fn holder(root: &Path) -> String {
    read_line(&root.join("lock")).map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// The trimmed first line of a small file, if there is one.
pub fn read_line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Writes a small file so that a reader sees the old or the new one, never half of it.
pub fn write_whole(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    let write = || {
        // A leftover of a killed process would keep its own mode.
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| unwritable(path.parent().unwrap_or(path), &error))
}

/// `N` random bytes in hexadecimal.
pub fn random_hex<const N: usize>() -> anyhow::Result<String> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("the system gives no random numbers"))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_kept_and_private() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        let secret = folder.secret("postgres").unwrap();
        assert_eq!((secret.len(), folder.secret("postgres").unwrap()), (48, secret));
        let mode = fs::metadata(temporary.path().join("secrets/postgres")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_dropped() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        let lock = folder.lock().unwrap();
        let refusal = folder.lock().unwrap_err().to_string();
        assert!(refusal.contains("another Workroom instance (process"), "{refusal}");
        drop(lock);
        folder.lock().unwrap();
    }

    #[test]
    fn a_folder_with_other_files_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join("thesis.txt"), "years of work").unwrap();
        assert!(DataFolder::open(temporary.path()).unwrap_err().to_string().contains("not a Workroom data folder"));
    }
}
