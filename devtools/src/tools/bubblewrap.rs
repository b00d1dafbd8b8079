//! Bubblewrap, which runs jobs in a sandbox: a system install, or the distribution's own package, unpacked.

use super::{Fetch, Recipe, ask_version, deb};
use crate::run;

/// The program `bwrap`.
pub static RECIPE: Recipe = Recipe {
    name: "bubblewrap",
    variable: "WORKROOM_BWRAP",
    wanted: "the package bubblewrap",
    least: &[0, 8],
    client: "apt-get",
    client_is_here: deb::is_here,
    folder: "bubblewrap",
    program: "bwrap",
    candidates: || run::all("bwrap"),
    version: ask_version,
    fetch,
};

fn fetch(fetch: &Fetch) -> anyhow::Result<()> {
    let mut apt = deb::Apt::new(fetch)?;
    apt.unpack("bubblewrap")?;
    apt.install("root/usr/bin/bwrap", "bwrap", "bubblewrap")
}
