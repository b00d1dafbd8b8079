//! pgbench, for the side-by-side benchmarks: a system install, or the distribution's own package, unpacked.

use std::path::PathBuf;

use anyhow::Context;

use super::{Fetch, Recipe, ask_version, deb, postgres};
use crate::run;

/// The program `pgbench`.
pub static RECIPE: Recipe = Recipe {
    name: "pgbench",
    variable: "WORKROOM_PGBENCH",
    wanted: "pgbench (in the package postgresql or postgresql-contrib)",
    least: &[13],
    client: "apt-get",
    client_is_here: deb::is_here,
    folder: "pgbench",
    program: "pgbench",
    candidates,
    version: ask_version,
    fetch,
};

fn candidates() -> Vec<PathBuf> {
    let mut programs: Vec<PathBuf> = postgres::bin_folders().into_iter().map(|folder| folder.join("pgbench")).collect();
    // Last, because on Debian it is a script that chooses among the former.
    programs.extend(run::all("pgbench"));
    programs
}

fn fetch(fetch: &Fetch) -> anyhow::Result<()> {
    let mut apt = deb::Apt::new(fetch)?;
    let server = apt.dependency("postgresql", "postgresql-").context("the package sources know no PostgreSQL")?;
    let program = format!("root/usr/lib/postgresql/{}/bin/pgbench", server.trim_start_matches("postgresql-"));
    apt.unpack("libpq5")?;
    apt.unpack(&server)?;
    if !fetch.dir.join(&program).exists() {
        // Some releases have it among the clients.
        apt.unpack(&server.replace("postgresql-", "postgresql-client-"))?;
    }
    // The server's other programs are of no use here, and large.
    apt.install(&program, "pgbench", "libpq5")
}
