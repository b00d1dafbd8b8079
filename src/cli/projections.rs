//! `workroom projections …`

use std::process::ExitCode;

use clap::Subcommand;
use sqlx::PgConnection;
use workroom_projections::{
    Group, groups,
    rebuild::{self, Comparison},
    session,
};

use super::output;
use crate::{
    config::Config,
    database::{Database, Patience},
};

/// What to do with the read models.
#[derive(Subcommand)]
pub enum ProjectionsCommand {
    /// Compare the live views with a replay of the log.
    Verify,
    /// Make the views again from the log, while the live ones go on serving, and swap.
    Rebuild {
        /// Only this group.
        #[arg(long)]
        group: Option<String>,
    },
}

/// Does it, group by group.
///
/// # Errors
/// The log cannot be replayed; the live views are untouched then.
pub async fn run(command: ProjectionsCommand) -> anyhow::Result<ExitCode> {
    let config = Config::load()?;
    let database = Database::for_command(&config).await?;
    let mut differs = false;
    match command {
        ProjectionsCommand::Verify => {
            for group in groups() {
                let report = |done, all| output::progress(group.name, done, all);
                let mut connection = connect(&database).await?;
                let comparison = rebuild::verify(&mut connection, &group, &report).await?;
                differs |= show(&comparison)?;
            }
        }
        ProjectionsCommand::Rebuild { group: only } => {
            let chosen: Vec<Group> =
                groups().into_iter().filter(|group| only.as_deref().is_none_or(|name| name == group.name)).collect();
            anyhow::ensure!(!chosen.is_empty(), "there is no such group of projections");
            for group in chosen {
                let report = |done, all| output::progress(group.name, done, all);
                let mut connection = connect(&database).await?;
                show(&rebuild::rebuild(&mut connection, &group, &report).await?)?;
                output::line(&format!("{}: rebuilt and swapped", group.name))?;
            }
        }
    }
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn connect(database: &Database) -> anyhow::Result<PgConnection> {
    database
        .patiently(Patience::COMMAND, async || {
            let mut connection = session::begin(database.owner()).await?;
            // A replay takes as long as it takes.
            sqlx::query("SET statement_timeout = 0").execute(&mut connection).await?;
            Ok(connection)
        })
        .await
}

fn show(comparison: &Comparison) -> anyhow::Result<bool> {
    let Comparison { group, position, rows, differences } = comparison;
    if differences.is_empty() {
        output::line(&format!("{group}: {rows} rows equal a replay of {position} events"))?;
    }
    for difference in differences {
        output::line(&format!(
            "{group}: table {} differs at position {position}: {} rows only live, {} only replayed, such as {}",
            difference.table,
            difference.only_live,
            difference.only_replayed,
            difference.example.as_deref().unwrap_or("-")
        ))?;
    }
    Ok(!differences.is_empty())
}
