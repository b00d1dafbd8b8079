//! psql, beside which exports are measured: a system install, or the distribution's own package, unpacked. Nothing
//! else wants it, so it is not among [`all`](super::all) and is fetched by that benchmark alone.

use std::path::PathBuf;

use anyhow::Context;

use super::{Fetch, Recipe, ask_version, deb, postgres};
use crate::run;

/// The program `psql`.
pub static RECIPE: Recipe = Recipe {
    name: "psql",
    variable: "WORKROOM_PSQL",
    wanted: "psql (in the package postgresql-client)",
    least: &[13],
    client: "apt-get",
    client_is_here: deb::is_here,
    folder: "psql",
    program: "psql",
    candidates,
    version: ask_version,
    fetch,
};

fn candidates() -> Vec<PathBuf> {
    let mut programs: Vec<PathBuf> = postgres::bin_folders().into_iter().map(|folder| folder.join("psql")).collect();
    // Last, because on Debian it is a script that chooses among the former.
    programs.extend(run::all("psql"));
    programs
}

fn fetch(fetch: &Fetch) -> anyhow::Result<()> {
    let mut apt = deb::Apt::new(fetch)?;
    let client = apt
        .dependency("postgresql-client", "postgresql-client-")
        .context("the package sources know no client of PostgreSQL")?;
    let program = format!("root/usr/lib/postgresql/{}/bin/psql", client.trim_start_matches("postgresql-client-"));
    apt.unpack("libpq5")?;
    apt.unpack(&client)?;
    apt.install(&program, "psql", &client)
}
