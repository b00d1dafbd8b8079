//! `serve`, `migrate` and `dev up`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{output, runtime, start_logging};
use crate::{
    config::{Config, Role},
    database::{self, Database, Patience},
    dev::{
        cli::{UpArgs, prepare_up},
        folder::DataFolder,
        tools,
    },
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
    start_logging(&config);
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
    database.patiently(Patience::COMMAND, async || database::migrate(database.direct()).await).await?;
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
        start_logging(&config);
        tokio::pin!(stop);
        let services = tokio::select! {
            services = prepare_up(args) => services?,
            () = &mut stop => return Ok(()),
        };
        services.database_url().clone_into(&mut config.database_url);
        services.nats_url().clone_into(&mut config.nats_url);
        if config.bubblewrap.is_none() {
            config.bubblewrap = bubblewrap(&args.folder.data_dir).await;
        }
        if config.smtp_url.is_none() && config.mail_folder.is_none() {
            config.mail_folder = Some(services.folder().root().join("mail"));
        }
        let mail_folder = config.mail_folder.clone();
        let started = Service::start(config).await;
        let outcome = match started {
            Ok(service) => {
                let outcome = welcome(&service, mail_folder.as_deref());
                stop.await;
                service.stop().await;
                outcome
            }
            Err(error) => Err(error),
        };
        services.stop().await;
        outcome
    })
}

fn welcome(service: &Service, mail_folder: Option<&Path>) -> anyhow::Result<()> {
    let address = service.address();
    output::line(&format!("Workroom is ready at http://{address}"))?;
    output::line(&format!("  documentation   http://{address}/docs"))?;
    if let Some(folder) = mail_folder {
        output::line(&format!("  mails           are written to {}", folder.display()))?;
    }
    output::line("  the whole story ./dev demo")?;
    output::line("  stop            Ctrl-C")
}

/// Finds or fetches bubblewrap. Without it everything but running code works, and the service says so.
async fn bubblewrap(data_dir: &Path) -> Option<PathBuf> {
    let data_dir = data_dir.to_owned();
    let find = move || tools::bubblewrap::RECIPE.ensure(&tools::ToolStore::new(&DataFolder::open(&data_dir)?));
    let found = tokio::task::spawn_blocking(find).await;
    match found {
        Ok(Ok(tool)) => Some(tool.path),
        Ok(Err(error)) => {
            tracing::warn!("code cannot be run: {error:#}");
            None
        }
        Err(_) => None,
    }
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
