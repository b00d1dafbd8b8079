//! `serve` and `migrate`.

use std::{collections::BTreeSet, path::Path};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{output, runtime};
use crate::{
    application::EmailProof,
    config::{Config, Development, Role},
    database::{self, Database, Patience},
    logging,
    startup::Service,
};

/// How to serve.
#[derive(Args)]
pub struct ServeArgs {
    /// The parts this process plays; all by default.
    #[arg(long, value_delimiter = ',', value_enum)]
    roles: Vec<Role>,
    /// Port to listen on; 0 takes any free one.
    #[arg(long)]
    port: Option<u16>,
}

/// Serves until told to stop.
pub fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let mut config = Config::load()?;
    if !args.roles.is_empty() {
        config.process.roles = BTreeSet::from_iter(args.roles);
    }
    if let Some(port) = args.port {
        config.process.port = port;
    }
    logging::start(config.process.log_format);
    Development::set_clock()?;
    let welcoming = Development::is_given().then(|| (config.mail.mail_folder.clone(), config.identity.email_proof()));
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        tokio::pin!(stop);
        let service = tokio::select! {
            service = Service::start(config) => service?,
            () = &mut stop => return Ok(()),
        };
        let outcome = match welcoming {
            None => output::line(&format!("Workroom listens on http://{}", service.address())),
            Some((mail_folder, proof)) => welcome(&service, mail_folder.as_deref(), proof == EmailProof::Trusted),
        };
        if outcome.is_ok() {
            stop.await;
        }
        service.stop().await;
        logging::sum_up();
        outcome
    })
}

/// Brings the database's schema up to date.
pub async fn migrate() -> anyhow::Result<()> {
    let config = Config::load()?;
    let database = Database::of(&config)?;
    database.ready(Patience::COMMAND).await?;
    database.patiently(Patience::COMMAND, async || database::migrate(database.owner()).await).await?;
    output::line("the database is up to date")
}

/// What a developer is told.
fn welcome(service: &Service, mail_folder: Option<&Path>, trusts_addresses: bool) -> anyhow::Result<()> {
    let address = service.address();
    output::line(&format!("Workroom is ready at http://{address}"))?;
    output::line(&format!("  documentation   http://{address}/docs"))?;
    if let Some(folder) = mail_folder {
        output::line(&format!("  mails           are written to {}", folder.display()))?;
    }
    if trusts_addresses {
        output::line("  addresses       are trusted as they are typed; to ask for proof: WORKROOM_EMAIL_PROOF=mail")?;
    }
    output::line("  the whole story ./dev demo")?;
    output::line("  stop            Ctrl-C")
}

/// Ready once the process is asked to stop: by Ctrl-C, by the system, or by the end of the terminal.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
