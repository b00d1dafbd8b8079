//! The folder of fetched programs: each arrives whole or not at all, and only once.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, anyhow};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::folder::{DataFolder, unwritable};
use crate::run::{self, Interrupt, InterruptOnDrop};

/// How often a fetch of another process is looked after.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// Where fetched programs lie, and the logs of fetching them.
#[derive(Debug, Clone)]
pub struct ToolStore {
    dir: PathBuf,
    log: PathBuf,
    interrupt: Interrupt,
}

/// One download under way.
#[derive(Debug)]
pub struct Fetch {
    /// The folder to fill; renamed into place when all is there.
    pub dir: PathBuf,
    /// The log of the package client's output.
    pub log: PathBuf,
    interrupt: Interrupt,
}

impl Fetch {
    /// Runs a command in the folder being filled, with its output in the log.
    pub fn run(&self, command: &mut Command) -> anyhow::Result<()> {
        run::logged(command.current_dir(&self.dir), &self.log, &self.interrupt)
    }

    /// The one file in the folder whose name ends so: what a package client has just downloaded.
    pub fn file(&self, suffix: &str) -> anyhow::Result<PathBuf> {
        let entries = fs::read_dir(&self.dir).map_err(|error| unwritable(&self.dir, &error))?;
        entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with(suffix))
            .with_context(|| format!("the package client downloaded no {suffix} file"))
    }
}

impl ToolStore {
    /// The programs of a data folder.
    pub fn new(folder: &DataFolder) -> Self {
        Self { dir: folder.tools(), log: folder.log(), interrupt: Interrupt::default() }
    }

    /// The same programs, for a search that ends when what is returned beside them is dropped.
    pub fn interruptible(&self) -> (Self, InterruptOnDrop) {
        let interrupt = Interrupt::default();
        (Self { interrupt: interrupt.clone(), ..self.clone() }, InterruptOnDrop(interrupt))
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Fills a temporary folder with `fill` and renames it to `name`; if it is already there, does nothing.
    ///
    /// A second process that wants the same waits, and finds it there. A killed one leaves a temporary folder that the
    /// next fetch removes.
    pub fn fetch(&self, name: &str, fill: impl FnOnce(&Fetch) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let target = self.dir.join(name);
        let temporary = self.dir.join(format!(".fetch-{name}"));
        let _lock = self.wait_for_lock(name)?;
        if target.exists() {
            return Ok(());
        }
        // Under the lock nobody else uses it: what is there was left by a killed fetch.
        let _ = fs::remove_dir_all(&temporary);
        fs::create_dir_all(&temporary).map_err(|error| unwritable(&self.dir, &error))?;
        let fetch = Fetch {
            dir: temporary.clone(),
            log: self.log.join(format!("fetch-{name}.log")),
            interrupt: self.interrupt.clone(),
        };
        let result =
            fill(&fetch).and_then(|()| fs::rename(&temporary, &target).map_err(|error| unwritable(&self.dir, &error)));
        if result.is_err() {
            let _ = fs::remove_dir_all(&temporary);
        }
        result
    }

    fn wait_for_lock(&self, name: &str) -> anyhow::Result<Flock<File>> {
        let path = self.dir.join(format!(".lock-{name}"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| unwritable(&self.dir, &error))?;
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((file, Errno::EWOULDBLOCK)) => file,
                Err((_, error)) => return Err(anyhow!("the lock {} cannot be taken: {error}", path.display())),
            };
            self.interrupt.check()?;
            std::thread::sleep(LOCK_INTERVAL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_fetch_leaves_nothing_and_the_next_one_succeeds() {
        let temporary = tempfile::tempdir().unwrap();
        let store = ToolStore::new(&DataFolder::open(temporary.path()).unwrap());
        let fill = |fetch: &Fetch| Ok(fs::write(fetch.dir.join("program"), "")?);
        // What a killed fetch leaves.
        fs::create_dir(store.dir().join(".fetch-tool-1")).unwrap();
        fs::write(store.dir().join(".fetch-tool-1/half"), "").unwrap();
        store.fetch("tool-1", |fetch| fill(fetch).and(Err(anyhow!("no network")))).unwrap_err();
        assert!(!store.dir().join("tool-1").exists() && !store.dir().join(".fetch-tool-1").exists());
        store.fetch("tool-1", fill).unwrap();
        assert!(store.dir().join("tool-1/program").exists() && !store.dir().join("tool-1/half").exists());
        store.fetch("tool-1", |_| Err(anyhow!("not asked again"))).unwrap();
    }
}
