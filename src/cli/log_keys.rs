//! `workroom log-keys …`

use clap::Subcommand;

use super::output;
use crate::{config::Config, database::Database, log_tree::keys};

/// What to do with the keys that sign checkpoints of the log.
#[derive(Subcommand)]
pub enum LogKeysCommand {
    /// List all keys that ever signed: hand them to whoever verifies.
    List,
    /// Make a new key, which signs from now on. The one before it verifies what it signed, and signs no more.
    Rotate,
}

pub async fn run(command: LogKeysCommand) -> anyhow::Result<()> {
    let config = Config::load()?;
    let database = Database::for_command(&config).await?;
    let pool = database.pool(1);
    if let LogKeysCommand::Rotate = command {
        let verifier = keys::rotate(&pool).await?;
        output::line(&format!("new key: {verifier}"))?;
    }
    for key in keys::list(&pool).await? {
        let state = if key.retired_at.is_some() { "old" } else { "current" };
        let from = key.created_at.format(&time::format_description::well_known::Rfc3339)?;
        output::line(&format!("{state:<8}{}  signs from {from}", key.verifier))?;
    }
    Ok(())
}
