//! Programs out of Debian packages, downloaded by apt-get and unpacked in the data folder.
//!
//! Nothing of the system is changed: no package is installed, apt's caches and, where the system's own are missing,
//! its lists are in the folder being filled. apt checks every package against its sources' signatures; on Debian 12
//! the packages are pinned by hash besides, and another release's version is accepted on apt's word, which is said.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::Fetch;
use super::hash::Hash;
use crate::{out, run};

struct Pin {
    package: &'static str,
    version: &'static str,
    amd64: &'static str,
    arm64: &'static str,
}

/// The packages of Debian 12.
const PINS: [Pin; 2] = [
    Pin {
        package: "libpq5",
        version: "15.20-0+deb12u1",
        amd64: "ac8a72cc33453f75ac605b4f6b8f9febae303b9d9a61255a042a87a7f69ac5c7",
        arm64: "eafc506875e173625dfa20155c832c7f699a8033a1caaa6fa5085c92ea9e709f",
    },
    Pin {
        package: "postgresql-15",
        version: "15.20-0+deb12u1",
        amd64: "8566850f295c2cb5034ff5dd5b40caf97eea81b75a841c8d1f691c05ab8815db",
        arm64: "50222ef763ffe49b211ff61dd0d2b6eb7e46f77fe71b15e270e355827fcebdd6",
    },
];

/// Hooks of the system, such as those that container images use to empty its caches, must not run for us.
const CONFIG: &str = "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n\
    Acquire::Languages \"none\";\nAcquire::Retries \"1\";\nAcquire::http::Timeout \"20\";\nAcquire::https::Timeout \"20\";\n\
    APT::Get::AllowUnauthenticated \"false\";\nAPT::Sandbox::User \"\";\n";

/// Whether this system has the programs for it.
pub fn is_here() -> bool {
    ["apt-get", "apt-cache", "dpkg-deb"].iter().all(|program| run::find(program).is_some())
}

/// apt-get, kept inside the folder being filled.
pub struct Apt<'a> {
    fetch: &'a Fetch,
    private_lists: bool,
}

impl<'a> Apt<'a> {
    /// Prepares apt's own folders; uses the system's package lists if there are any.
    pub fn new(fetch: &'a Fetch) -> anyhow::Result<Self> {
        for folder in ["apt/lists/partial", "apt/cache/archives/partial", "root"] {
            fs::create_dir_all(fetch.dir.join(folder)).context("a folder for apt cannot be made")?;
        }
        fs::write(fetch.dir.join("apt/config"), CONFIG).context("the settings for apt cannot be written")?;
        let mut apt = Self { fetch, private_lists: false };
        let lists = fs::read_dir("/var/lib/apt/lists").into_iter().flatten().filter_map(Result::ok);
        if !lists.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("_Packages")) {
            apt.update()?;
        }
        Ok(apt)
    }

    fn update(&mut self) -> anyhow::Result<()> {
        self.private_lists = true;
        self.fetch.run(self.command("apt-get").arg("update"))
    }

    fn command(&self, program: &str) -> Command {
        let apt = self.fetch.dir.join("apt");
        let mut command = Command::new(program);
        command
            .arg("-q")
            .arg("-c")
            .arg(apt.join("config"))
            .arg("-o")
            .arg(format!("Dir::Cache={}", apt.join("cache").display()));
        if self.private_lists {
            command.arg("-o").arg(format!("Dir::State::lists={}", apt.join("lists").display()));
        }
        command
    }

    /// The first direct dependency of a package whose name begins so.
    pub fn dependency(&mut self, package: &str, prefix: &str) -> Option<String> {
        let find = |apt: &Self| {
            let text = run::output(apt.command("apt-cache").args(["depends", package]))?;
            text.lines()
                .filter_map(|line| line.trim().strip_prefix("Depends: "))
                .find(|name| name.starts_with(prefix))
                .map(str::to_owned)
        };
        find(self).or_else(|| {
            self.update().ok()?;
            find(self)
        })
    }

    /// Downloads one package, checks it and unpacks it into `root`.
    pub fn unpack(&mut self, package: &str) -> anyhow::Result<()> {
        let pinned = PINS.iter().find(|pin| pin.package == package).map(|pin| format!("{package}={}", pin.version));
        let mut names: Vec<&str> = pinned.as_deref().into_iter().collect();
        // Another release than the pinned one has another version.
        names.push(package);
        let mut result = self.download(&names);
        if result.is_err() && !self.private_lists {
            // The system's lists may be older than its package sources.
            self.update()?;
            result = self.download(&names);
        }
        result?;
        self.unpack_downloads()
    }

    fn download(&self, names: &[&str]) -> anyhow::Result<()> {
        let mut result = Ok(());
        for name in names {
            result = self.fetch.run(self.command("apt-get").arg("download").arg(name));
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn unpack_downloads(&self) -> anyhow::Result<()> {
        while let Ok(file) = self.fetch.file(".deb") {
            check(&file)?;
            self.fetch.run(Command::new("dpkg-deb").arg("-x").arg(&file).arg("root"))?;
            fs::remove_file(&file).context("a downloaded package cannot be removed")?;
        }
        Ok(())
    }

    /// Makes the unpacked `program` callable as `name`, with the libraries of `package` if the system lacks them, and
    /// removes what apt needed.
    pub fn install(&self, program: &str, name: &str, package: &str) -> anyhow::Result<()> {
        let path = self.fetch.dir.join(program);
        if !path.is_file() {
            bail!("the package holds no {name}");
        }
        if lacks_libraries(&path, &self.library_folders()) {
            let libraries = self.libraries_of(package)?;
            self.fetch.run(self.command("apt-get").arg("download").args(&libraries))?;
            self.unpack_downloads()?;
        }
        let folders = self.library_folders();
        let target = self.fetch.dir.join(name);
        if folders.is_empty() {
            std::os::unix::fs::symlink(program, &target).context("the program cannot be linked")?;
        } else {
            self.write_wrapper(&target, program, &folders)?;
        }
        let _ = fs::remove_dir_all(self.fetch.dir.join("apt"));
        Ok(())
    }

    /// A script, because the libraries must be named by a path that is known only when the folder is in place.
    fn write_wrapper(&self, target: &Path, program: &str, folders: &[PathBuf]) -> anyhow::Result<()> {
        let relative = folders.iter().filter_map(|folder| folder.strip_prefix(&self.fetch.dir).ok());
        let path: Vec<String> = relative.map(|folder| format!("$here/{}", folder.display())).collect();
        let mut script = fs::File::create(target).context("a script cannot be written")?;
        writeln!(script, "#!/bin/sh\nhere=$(CDPATH= cd \"$(dirname \"$0\")\" && pwd)")
            .context("a script cannot be written")?;
        writeln!(script, "LD_LIBRARY_PATH=\"{}\" exec \"$here/{program}\" \"$@\"", path.join(":"))
            .context("a script cannot be written")?;
        fs::set_permissions(target, fs::Permissions::from_mode(0o755)).context("a script cannot be made executable")
    }

    /// The unpacked folders that hold shared libraries.
    fn library_folders(&self) -> Vec<PathBuf> {
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        let roots = ["root/usr/lib", "root/lib"].map(|folder| self.fetch.dir.join(folder).join(&triplet));
        roots.into_iter().filter(|folder| folder.is_dir()).collect()
    }

    /// The library packages that a package needs, directly or not, but for the C library, which is the system's.
    fn libraries_of(&self, package: &str) -> anyhow::Result<Vec<String>> {
        let text = run::output(
            self.command("apt-cache").args(["depends", "--recurse", "--no-recommends", "--no-suggests"]).args([
                "--no-conflicts",
                "--no-breaks",
                "--no-replaces",
                "--no-enhances",
                package,
            ]),
        );
        let names = text.context("apt-cache knows no dependencies")?;
        let names =
            names.lines().filter(|name| name.starts_with("lib") && !name.starts_with("libc6") && !name.contains(':'));
        Ok(names.map(str::to_owned).collect())
    }
}

/// Checks a downloaded package against its pin, or says that there is none for it.
fn check(file: &Path) -> anyhow::Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(hash) = pinned_hash(&name) {
        return Hash::Sha256(hash).check(file);
    }
    out::progress(&format!("accepting {name} on the signature that apt-get has checked"));
    Ok(())
}

/// The pinned hash for a file name such as `libpq5_15.20-0+deb12u1_amd64.deb`.
fn pinned_hash(name: &str) -> Option<&'static str> {
    let mut parts = name.strip_suffix(".deb")?.split('_');
    let (package, version, arch) = (parts.next()?, parts.next()?, parts.next()?);
    let pin = PINS.iter().find(|pin| (pin.package, pin.version) == (package, version))?;
    match arch {
        "amd64" => Some(pin.amd64),
        "arm64" => Some(pin.arm64),
        _ => None,
    }
}

fn lacks_libraries(program: &Path, folders: &[PathBuf]) -> bool {
    let path = std::env::join_paths(folders).unwrap_or_default();
    run::output(Command::new("ldd").arg(program).env("LD_LIBRARY_PATH", path))
        .is_some_and(|text| text.contains("not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_for_one_version_and_one_architecture() {
        assert_eq!(pinned_hash("libpq5_15.20-0+deb12u1_amd64.deb"), Some(PINS[0].amd64));
        assert_eq!(pinned_hash("libpq5_15.20-0+deb12u1_arm64.deb"), Some(PINS[0].arm64));
        assert_eq!(pinned_hash("libpq5_17.6-0+deb13u1_amd64.deb"), None);
        assert_eq!(pinned_hash("libssl3_3.0.1_amd64.deb"), None);
    }
}
