//! `workroom audit …`

use std::process::ExitCode;

use clap::Subcommand;

use super::output;
use crate::{audit, config::Config, database::Database};

/// What to prove.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// That every event's actor held the right to cause it, at its position.
    Access,
}

/// Proves it, or shows where it fails.
///
/// # Errors
/// The log cannot be read.
pub async fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    let AuditCommand::Access = command;
    let config = Config::load()?;
    let database = Database::for_command(&config).await?;
    let pool = database.pool(2);
    let head = workroom_projections::log::head(&pool).await?;
    let report = audit::access::audit(&pool, &|done| output::progress("audit", done, head)).await?;
    for violation in &report.violations {
        output::line(&format!(
            "position {}: {} by {}: {}",
            violation.position, violation.event_type, violation.actor, violation.reason
        ))?;
    }
    output::line(&format!(
        "{} events, {} projects, {} violations",
        report.events,
        report.projects,
        report.violations.len()
    ))?;
    Ok(if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
