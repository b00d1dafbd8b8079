//! As whom the private servers run. Postgres refuses root, and wants a user that the system knows by name.
//!
//! Root drops to `nobody`: whatever Postgres can be made to do is then done by a user who owns nothing but its data. Where `nobody` may
//! not enter the folders, and for callers without a name, a user namespace that shows the caller as `nobody` does: Postgres has
//! no privileges then, but the files of root are still its own, and a warning says so.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::unistd::{User, geteuid};

use crate::child::{ChildSpec, RunAs, Spawner};

const NOBODY: u32 = 65534;

/// Chooses how to run the programs of Postgres in `bin` over the data in `data`; tries it out.
pub async fn choose(spawner: &Spawner, bin: &Path, data: &Path, log: &Path) -> anyhow::Result<RunAs> {
    let caller = geteuid();
    let known = matches!(User::from_uid(caller), Ok(Some(_)));
    if !caller.is_root() && known {
        return Ok(RunAs::Caller);
    }
    let (uid, gid) = nobody();
    // Data of another user were made by an earlier start that dropped to it.
    let owner = fs::metadata(data)
        .map(|metadata| (metadata.uid(), metadata.gid()))
        .ok()
        .filter(|(uid, _)| *uid != caller.as_raw());
    let namespace = RunAs::Namespace { uid, gid };
    if !caller.is_root() {
        if owner.is_none() && works(spawner, &bin.join("postgres"), log, namespace).await {
            return Ok(namespace);
        }
        bail!(
            "Postgres needs a user with a name, user {caller} has none and user namespaces are refused: run as another user"
        );
    }
    let (uid, gid) = owner.unwrap_or((uid, gid));
    let user = RunAs::User { uid, gid };
    let closed = check_traversable(data).and_then(|()| check_traversable(bin));
    if closed.is_ok() && works(spawner, &bin.join("postgres"), log, user).await {
        return Ok(user);
    }
    if owner.is_none() && works(spawner, &bin.join("postgres"), log, namespace).await {
        let reason = closed.err().map_or_else(|| "the user cannot be changed".to_owned(), |error| error.to_string());
        tracing::warn!(reason, "Postgres runs as root without its privileges: the files of root are its own");
        return Ok(namespace);
    }
    closed?;
    bail!(
        "Postgres refuses to run as root, and neither another user nor a user namespace is possible here: run as an ordinary user"
    )
}

/// As whom a server runs that would run as root, too: as `nobody` where that can be.
pub async fn without_root(spawner: &Spawner, program: &Path, data: &Path, log: &Path) -> RunAs {
    if !geteuid().is_root() {
        return RunAs::Caller;
    }
    let (uid, gid) = nobody();
    let user = RunAs::User { uid, gid };
    let closed = check_traversable(data).and_then(|()| check_traversable(program));
    if closed.is_ok() && works(spawner, program, log, user).await {
        return user;
    }
    let reason = closed.err().map_or_else(|| "the user cannot be changed".to_owned(), |error| error.to_string());
    tracing::warn!(reason, program = %program.display(), "a private server runs as root");
    RunAs::Caller
}

/// The user and the group who own nothing.
fn nobody() -> (u32, u32) {
    match User::from_name("nobody") {
        Ok(Some(user)) => (user.uid.as_raw(), user.gid.as_raw()),
        _ => (NOBODY, NOBODY),
    }
}

async fn works(spawner: &Spawner, program: &Path, log: &Path, run_as: RunAs) -> bool {
    let mut spec = ChildSpec::new(program, log).arg("--version");
    spec.run_as = run_as;
    spawner.run(&spec, Duration::from_secs(10)).await.is_ok_and(|status| status.success())
}

/// Fails with one sentence when a parent folder keeps other users out.
fn check_traversable(path: &Path) -> anyhow::Result<()> {
    for folder in path.ancestors().skip(1) {
        let closed = fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 == 0);
        if closed {
            bail!(
                "the user nobody, as whom servers run that root starts, may not enter {}: run as an ordinary user, or set WORKROOM_DATA_DIR to a folder that everybody may enter",
                folder.display()
            );
        }
    }
    Ok(())
}

/// Gives a file or a folder with all in it to the user that a server runs as; needed only after dropping to another.
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
