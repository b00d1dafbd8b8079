//! As whom Postgres runs. It refuses root, and wants a user that the system knows by name.
//!
//! A user namespace that shows root as `nobody` is the best answer: the files stay the caller's, and folders that only
//! the caller may enter do not matter. Where it is refused (containers, mostly), root drops to `nobody`, and owns
//! neither the data nor the process any more.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::unistd::{User, geteuid};

use crate::dev::child::{ChildSpec, RunAs, Spawner};

const NOBODY: u32 = 65534;

/// Chooses how to run the programs in `bin` over the data in `data`; tries it out.
pub async fn choose(spawner: &Spawner, bin: &Path, data: &Path, log: &Path) -> anyhow::Result<RunAs> {
    let caller = geteuid();
    let known = matches!(User::from_uid(caller), Ok(Some(_)));
    if !caller.is_root() && known {
        return Ok(RunAs::Caller);
    }
    let (uid, gid) = match User::from_name("nobody") {
        Ok(Some(user)) => (user.uid.as_raw(), user.gid.as_raw()),
        _ => (NOBODY, NOBODY),
    };
    // Data of another user were made by an earlier start that dropped to it.
    let owner = fs::metadata(data)
        .map(|metadata| (metadata.uid(), metadata.gid()))
        .ok()
        .filter(|(uid, _)| *uid != caller.as_raw());
    let namespace = RunAs::Namespace { uid, gid };
    if owner.is_none() && works(spawner, bin, log, namespace).await {
        return Ok(namespace);
    }
    if !caller.is_root() {
        bail!(
            "Postgres needs a user with a name, user {caller} has none and user namespaces are refused: run as another user"
        );
    }
    let (uid, gid) = owner.unwrap_or((uid, gid));
    let user = RunAs::User { uid, gid };
    for folder in [data, bin] {
        check_traversable(folder)?;
    }
    if !works(spawner, bin, log, user).await {
        bail!(
            "Postgres refuses to run as root, and neither a user namespace nor another user is possible here: run as an ordinary user"
        );
    }
    Ok(user)
}

async fn works(spawner: &Spawner, bin: &Path, log: &Path, run_as: RunAs) -> bool {
    let mut spec = ChildSpec::new(bin.join("postgres"), log).arg("--version");
    spec.run_as = run_as;
    spawner.run(&spec, Duration::from_secs(10)).await.is_ok_and(|status| status.success())
}

/// Fails with one sentence when a parent folder keeps other users out.
fn check_traversable(path: &Path) -> anyhow::Result<()> {
    for folder in path.ancestors().skip(1) {
        let closed = fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 == 0);
        if closed {
            bail!(
                "Postgres refuses to run as root and the user nobody may not enter {}: run as an ordinary user, or set WORKROOM_DATA_DIR to a folder that everybody may enter",
                folder.display()
            );
        }
    }
    Ok(())
}

/// Gives a file or a folder with all in it to the user that Postgres runs as; needed only after dropping to another.
pub fn give(path: &Path, run_as: RunAs) -> anyhow::Result<()> {
    let RunAs::User { uid, gid } = run_as else { return Ok(()) };
    let metadata = fs::symlink_metadata(path).with_context(|| format!("{} cannot be looked at", path.display()))?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("{} cannot be listed", path.display()))? {
            give(&entry.map_err(|error| anyhow!("{} cannot be listed: {error}", path.display()))?.path(), run_as)?;
        }
    }
    if metadata.uid() != uid && !metadata.is_symlink() {
        chown(path, Some(uid), Some(gid))
            .with_context(|| format!("{} cannot be given to user {uid}", path.display()))?;
    }
    Ok(())
}
