//! `./dev reset`: empties the data folder, and nothing else, ever.

use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow, bail};

use super::folder::{MARKER, holder, try_lock, unwritable};

/// Empties the data folder; keeps fetched programs unless `all`. A missing folder is already empty.
///
/// Refuses, in one sentence, a folder that is not a Workroom data folder, one that is a link to another place, and one
/// that a running instance uses.
pub fn reset(root: &Path, all: bool) -> anyhow::Result<()> {
    let root = std::path::absolute(root).context("the path of the data folder is not usable")?;
    let Ok(metadata) = fs::symlink_metadata(&root) else { return Ok(()) };
    if metadata.is_symlink() {
        bail!("{} is a link to another place: reset the folder that it points to", root.display());
    }
    if !root.join(MARKER).is_file() {
        bail!("{} is not a Workroom data folder: nothing was removed", root.display());
    }
    let _lock = try_lock(&root)?
        .ok_or_else(|| anyhow!("a Workroom instance{} uses {}: stop it first", holder(&root), root.display()))?;
    check_ephemeral(&root)?;
    for entry in fs::read_dir(&root).map_err(|error| unwritable(&root, &error))?.filter_map(Result::ok) {
        let name = entry.file_name();
        let keep = name == MARKER || name == "lock" || (name == "tools" && !all);
        if !keep {
            // Links are removed, never followed: `is_dir` here is about the entry itself.
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_dir { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
            removed.map_err(|error| anyhow!("{} cannot be removed: {error}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Instances that live as long as one process do not hold the folder's own lock.
fn check_ephemeral(root: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(root.join("ephemeral")).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.join("lock").is_file() && try_lock(&path)?.is_none() {
            bail!("a temporary Workroom instance{} uses {}: stop it first", holder(&path), root.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::DataFolder;

    #[test]
    fn a_reset_keeps_tools_and_the_marker() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(temporary.path()).unwrap();
        folder.secret("postgres").unwrap();
        fs::write(folder.tools().join("program"), "").unwrap();
        reset(temporary.path(), false).unwrap();
        assert!(folder.tools().join("program").exists() && !temporary.path().join("secrets").exists());
        reset(temporary.path(), true).unwrap();
        assert!(!folder.tools().exists() && temporary.path().join(MARKER).exists());
    }

    #[test]
    fn what_is_not_ours_or_in_use_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let (other, ours, link) =
            (temporary.path().join("other"), temporary.path().join("ours"), temporary.path().join("link"));
        fs::create_dir(&other).unwrap();
        fs::write(other.join("thesis.txt"), "").unwrap();
        assert!(reset(&other, true).is_err() && other.join("thesis.txt").exists());
        let folder = DataFolder::open(&ours).unwrap();
        std::os::unix::fs::symlink(&ours, &link).unwrap();
        assert!(reset(&link, true).unwrap_err().to_string().contains("is a link"));
        let lock = folder.lock().unwrap();
        assert!(reset(&ours, true).unwrap_err().to_string().contains("stop it first"));
        drop(lock);
        reset(&ours, true).unwrap();
        reset(&temporary.path().join("absent"), true).unwrap();
    }
}
