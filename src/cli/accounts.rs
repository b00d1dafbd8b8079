//! `workroom accounts …`

use anyhow::Context;
use clap::Subcommand;
use uuid::Uuid;
use workroom_domain::{actor::SystemActor, ids::AccountId};
use workroom_projections::{accounts, progress::Progress};

use super::output;
use crate::{
    application::App,
    config::Config,
    database::Database,
    event_store::{AppendLimits, EventLog},
    identity::{Identity, email::EmailAddress},
};

/// What to do with an account.
#[derive(Subcommand)]
pub enum AccountsCommand {
    /// Close an account to its owner: its sessions end within a second, its tokens are refused.
    Deactivate {
        /// The account's e-mail address, or its id.
        account: String,
    },
    /// Open it again.
    Reactivate {
        /// The account's e-mail address, or its id.
        account: String,
    },
}

/// Deactivates or reactivates the account, and prints which it is now.
///
/// # Errors
/// There is no such account; the database's.
pub async fn run(command: AccountsCommand) -> anyhow::Result<()> {
    let (account, deactivated) = match command {
        AccountsCommand::Deactivate { account } => (account, true),
        AccountsCommand::Reactivate { account } => (account, false),
    };
    let config = Config::load()?;
    let database = Database::for_command(&config).await?;
    let pool = database.pool(4);
    let found = if let Ok(id) = Uuid::try_parse(&account) {
        accounts::find(&pool, id).await?
    } else {
        let email = EmailAddress::parse(&account).context("this is neither an account's id nor an address")?;
        accounts::find_by_email(&pool, email.normalized()).await?
    };
    let id = found.context("there is no such account")?.id;
    let log = EventLog::open(pool.clone(), AppendLimits::default()).await?;
    let app = App::new(pool.clone(), log, Progress::new(pool), config.identity.email_proof());
    let identity = Identity::open(app, config.identity.config(&config.mail)?).await?;
    identity.set_deactivated(SystemActor::Operator, AccountId(id), deactivated).await?;
    output::line(&format!("{id} is {}", if deactivated { "deactivated" } else { "active" }))
}
