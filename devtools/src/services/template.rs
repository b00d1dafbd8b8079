//! A new cluster, made once and copied for every ephemeral instance: a copy takes a tenth of the time of `initdb`.
//!
//! A template holds the data and the password that was built into them. It appears whole, by a rename, or not at all;
//! of two processes that make it at once, one wins, and the other's work is thrown away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::folder::{DataFolder, random_hex, read_line, write_whole};

/// The template for one version of Postgres.
#[derive(Debug, Clone)]
pub struct Template {
    path: PathBuf,
}

impl Template {
    /// Where the template of `version` is, or will be, in the shared data folder.
    pub fn new(shared: &DataFolder, version: &str) -> Self {
        Self { path: shared.root().join("templates").join(format!("postgres-{version}")) }
    }

    /// The password of the data, if the template exists.
    pub fn password(&self) -> Option<String> {
        read_line(&self.path.join("password"))
    }

    /// Copies the data to `target`, which is an empty folder.
    pub fn copy_to(&self, target: &Path) -> std::io::Result<()> {
        copy(&self.path.join("data"), target)
    }

    /// Makes the template out of a cluster that is not running. Best effort: without it the next start is slower.
    pub fn save(&self, data: &Path, password: &str) {
        let Ok(random) = random_hex::<4>() else { return };
        let temporary = self.path.with_file_name(format!(".new-{random}"));
        let saved = fs::create_dir_all(temporary.join("data")).is_ok()
            && copy(data, &temporary.join("data")).is_ok()
            && write_whole(&temporary.join("password"), password, 0o600).is_ok()
            && fs::rename(&temporary, &self.path).is_ok();
        if !saved {
            let _ = fs::remove_dir_all(&temporary);
        }
    }
}

/// Copies a folder's contents and modes; a cluster holds neither links nor special files.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::set_permissions(to, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
