//! `workroom audit redact`

use anyhow::{Context as _, bail};
use clap::Args;
use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    text::Name,
};
use workroom_projections::progress::Progress;

use super::output;
use crate::{
    application::{
        App, Context,
        redaction::{Authority, Place},
    },
    config::Config,
    database::Database,
    event_store::{AppendLimits, EventLog},
};

/// What to redact, and why.
#[derive(Args)]
pub struct RedactArgs {
    /// The event's place in the whole log.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    position: i64,
    /// The reason. It stays in the log for all who read it: do not repeat what is redacted.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Redacts the event, and prints where it stands that it was.
///
/// # Errors
/// There is no such event, nothing in it to redact, or it was redacted before; the database's.
pub async fn run(args: RedactArgs) -> anyhow::Result<()> {
    let reason = match Name::parse(&args.reason) {
        Ok(reason) => reason,
        Err(refused) => bail!("the reason {refused}"),
    };
    let config = Config::load()?;
    let database = Database::for_command(&config).await?;
    let pool = database.pool(4);
    let log = EventLog::open(pool.clone(), AppendLimits::default()).await?;
    let app = App::new(pool.clone(), log, Progress::new(pool), config.identity.email_proof());
    let context = Context::new(Actor::System(SystemActor::Operator), Uuid::now_v7());
    let done = app
        .redact(&context, Authority::Service, Place::At(args.position), &reason, None)
        .await
        .with_context(|| format!("the event at position {} is not redacted", args.position))?;
    output::line(&format!("position {} is redacted; the event at position {} says so", args.position, done.position))
}
