//! `workroom keys …`

use std::time::Duration;

use clap::Subcommand;

use super::output;
use crate::{config::Config, database::Database, identity::signing_keys as keys};

/// What to do with the keys that sign access tokens.
#[derive(Subcommand)]
pub enum KeysCommand {
    /// List the keys that sign or are accepted.
    List,
    /// Make a new key. It is published at once and signs later; the one before it is accepted until its tokens end.
    Rotate {
        /// Seconds until the new key signs: as long as others may cache the published keys.
        #[arg(long, default_value_t = 600)]
        lead_seconds: u64,
        /// The keys are in the wrong hands: the new one signs at once, the others and all tokens they signed are refused.
        #[arg(long)]
        compromised: bool,
    },
}

pub async fn run(command: KeysCommand) -> anyhow::Result<()> {
    let config = Config::load()?;
    let database = Database::for_command(&config).await?;
    let pool = database.pool(1);
    if let KeysCommand::Rotate { lead_seconds, compromised } = command {
        let kid = keys::rotate(&pool, Duration::from_secs(lead_seconds), compromised).await?;
        output::line(&format!("new key: {kid}"))?;
    }
    for key in keys::list(&pool).await? {
        let from = key.active_from.format(&time::format_description::well_known::Rfc3339)?;
        output::line(&format!("{:<8}{}  signs from {from}", key.state, key.kid))?;
    }
    Ok(())
}
