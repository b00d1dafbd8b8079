//! `serve`, `migrate` and `dev up`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{output, runtime};
use crate::{
    application::EmailProof,
    config::{Config, Role},
    database::{self, Database, Patience},
    dev::{
        cli::{UpArgs, prepare_up},
        folder::DataFolder,
        tools,
    },
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
///
/// # Errors
/// Whatever keeps the service from starting.
pub fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let mut config = Config::load()?;
    if !args.roles.is_empty() {
        config.roles = BTreeSet::from_iter(args.roles);
    }
    if let Some(port) = args.port {
        config.port = port;
    }
    logging::start(config.log_format);
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        tokio::pin!(stop);
        let service = tokio::select! {
            service = Service::start(config) => service?,
            () = &mut stop => return Ok(()),
        };
        output::line(&format!("Workroom listens on http://{}", service.address()))?;
        stop.await;
        service.stop().await;
        logging::sum_up();
        Ok(())
    })
}

/// Brings the database's schema up to date.
///
/// # Errors
/// The database's.
pub async fn migrate() -> anyhow::Result<()> {
    let config = Config::load()?;
    let database = Database::of(&config)?;
    database.ready(Patience::COMMAND).await?;
    database.patiently(Patience::COMMAND, async || database::migrate(database.owner()).await).await?;
    output::line("the database is up to date")
}

/// Starts a private Postgres and NATS, and serves until told to stop.
///
/// # Errors
/// Whatever keeps any of them from starting, as one sentence.
pub fn up(args: &UpArgs) -> anyhow::Result<()> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let mut config = Config::load()?;
        config.host = args.host.parse().with_context(|| format!("{} is no IP address", args.host))?;
        config.port = args.port;
        logging::start(config.log_format);
        tokio::pin!(stop);
        let prepared = async {
            let services = prepare_up(args).await?;
            if config.bubblewrap.is_none() {
                config.bubblewrap = bubblewrap(&args.folder.data_dir).await;
            }
            anyhow::Ok(services)
        };
        let services = tokio::select! {
            services = prepared => services?,
            () = &mut stop => return Ok(()),
        };
        services.database_url().clone_into(&mut config.database_url);
        services.nats_url().clone_into(&mut config.nats_url);
        if let Some(postgres) = services.postgres() {
            config.direct_url = None;
            config.owner_url = Some(postgres.owner_url());
        }
        if services.nats().is_some() {
            // A private NATS listens on this machine alone, and without TLS.
            (config.nats_ca_file, config.nats_cert_file, config.nats_key_file) = (None, None, None);
        }
        if config.smtp_url.is_none() && config.mail_folder.is_none() {
            config.mail_folder = Some(services.folder().root().join("mail"));
        }
        let trusts = *config.email_proof.get_or_insert(EmailProof::Trusted) == EmailProof::Trusted;
        let mail_folder = config.mail_folder.clone();
        let serving = async {
            let service = tokio::select! {
                service = Service::start(config) => service?,
                () = &mut stop => return Ok(()),
            };
            let outcome = welcome(&service, mail_folder.as_deref(), trusts);
            stop.await;
            service.stop().await;
            outcome
        };
        let outcome = tokio::select! {
            outcome = serving => outcome,
            never = services.keep_running() => match never {},
        };
        services.stop().await;
        logging::sum_up();
        outcome
    })
}

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

/// Finds or fetches bubblewrap. Without it everything but running code works, and the service says so.
async fn bubblewrap(data_dir: &Path) -> Option<PathBuf> {
    let found = async {
        let store = tools::ToolStore::new(&DataFolder::open(data_dir)?);
        tools::find(&store, |store| tools::bubblewrap::RECIPE.ensure(store)).await
    };
    found.await.inspect_err(|error| tracing::warn!("code cannot be run: {error:#}")).ok().map(|tool| tool.path)
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
