//! The commands of `workroom-dev`, which the script `./dev` calls, and the checks before a start.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser;

use super::child::own_bin;
use super::exec_child::{ExecChild, exec_child};
use super::folder::DataFolder;
use super::services::{Services, ServicesOptions};
use super::tools::{self, ToolStore};
use super::{address, demo, doctor, out, reset, seed, up};

/// Runs Workroom on this machine with a private Postgres and NATS; see `./dev help`.
#[derive(Debug, clap::Parser)]
#[command(name = "workroom-dev", version)]
struct Cli {
    #[command(subcommand)]
    command: DevCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DevCommand {
    /// Starts everything and serves until Ctrl-C.
    Up(UpArgs),
    /// Says what this machine has, what will be fetched, and what is missing.
    Doctor(FolderArgs),
    /// Empties the data folder.
    Reset(ResetArgs),
    /// Makes sure that every program is here, fetching what is missing.
    Tools(FolderArgs),
    /// Walks through the service against a running instance.
    Demo(InstanceArgs),
    /// Fills a running instance with a believable organization, as often as it is called.
    Seed(InstanceArgs),
    #[command(hide = true)]
    ExecChild(ExecChild),
}

/// Runs the command that the arguments name.
///
/// # Errors
/// Whatever kept it from succeeding, as one sentence.
pub fn main() -> anyhow::Result<ExitCode> {
    let command = Cli::parse().command;
    // This one becomes another program: nothing may run beside it.
    if let DevCommand::ExecChild(args) = &command {
        return Err(exec_child(args));
    }
    log_to_stderr();
    let done = |()| ExitCode::SUCCESS;
    match command {
        DevCommand::Up(args) => {
            let is_well = runtime()?.block_on(up::up(&args))?;
            Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        DevCommand::Doctor(args) => Ok(run_doctor(&args)),
        DevCommand::Reset(args) => run_reset(&args).map(done),
        DevCommand::Tools(args) => run_tools(&args).map(done),
        DevCommand::Demo(args) => runtime()?.block_on(demo::run(&args.url)).map(done),
        DevCommand::Seed(args) => runtime()?.block_on(seed::run(&args.url)).map(done),
        DevCommand::ExecChild(_) => Ok(ExitCode::SUCCESS),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn log_to_stderr() {
    let wanted = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(wanted).with_writer(std::io::stderr).init();
}

/// Says on stderr, in one line, why a command failed.
pub fn complain(error: &anyhow::Error) {
    out::progress(&format!("workroom: {error:#}"));
}

/// Which data folder.
#[derive(Debug, Clone, clap::Args)]
pub struct FolderArgs {
    /// The folder that holds all that this instance keeps.
    #[arg(long, env = "WORKROOM_DATA_DIR", default_value = ".workroom")]
    pub data_dir: PathBuf,
}

/// What to start, and where it listens.
#[derive(Debug, Clone, clap::Args)]
pub struct UpArgs {
    /// Which data folder.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// The port that the service listens on.
    #[arg(long, env = "WORKROOM_PORT", default_value_t = 8080)]
    pub port: u16,
    /// The address that the service listens on.
    #[arg(long, env = "WORKROOM_HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// Keep nothing: all data are removed at the end.
    #[arg(long)]
    pub ephemeral: bool,
    /// Use this Postgres instead of a private one.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Use this NATS instead of a private one.
    #[arg(long, env = "NATS_URL", hide_env_values = true)]
    pub nats_url: Option<String>,
}

/// What to empty.
#[derive(Debug, Clone, clap::Args)]
pub struct ResetArgs {
    /// Which data folder.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Also remove the fetched programs.
    #[arg(long)]
    pub all: bool,
}

/// Which instance to talk to.
#[derive(Debug, Clone, clap::Args)]
pub struct InstanceArgs {
    /// The running instance.
    #[arg(long, env = "WORKROOM_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
}

/// Runs `doctor`; exit code 1 if something needed is missing and cannot be fetched.
fn run_doctor(args: &FolderArgs) -> ExitCode {
    if doctor::doctor(&args.data_dir) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_reset(args: &ResetArgs) -> anyhow::Result<()> {
    reset::reset(&args.folder.data_dir, args.all)?;
    out::line(&format!("{} is empty", args.folder.data_dir.display()));
    Ok(())
}

/// Runs `tools`: finds or fetches every program and prints where it is. Blocks while package clients work.
///
/// Fails when Postgres or NATS cannot be had; without pgbench it only says what will not work.
fn run_tools(args: &FolderArgs) -> anyhow::Result<()> {
    let folder = DataFolder::open(&args.data_dir)?;
    let store = ToolStore::new(&folder);
    for recipe in [&tools::postgres::RECIPE, &tools::nats_server::RECIPE] {
        show(&recipe.ensure(&store)?);
    }
    match tools::pgbench::RECIPE.ensure(&store) {
        Ok(tool) => show(&tool),
        Err(error) => out::progress(&format!("{error:#}")),
    }
    Ok(())
}

fn show(tool: &tools::Tool) {
    out::line(&format!("{:<12}{} ({}, {})", tool.name, tool.version, tool.origin, tool.path.display()));
}

/// Checks all that can be wrong with a start, cheapest first and before anything is started, then starts the servers.
///
/// Every failure is one sentence for the user. The service itself is the caller's to start; an error of its own that is
/// a full disk can be turned into a sentence with [`super::folder::unwritable`].
pub async fn prepare_up(args: &UpArgs) -> anyhow::Result<Services> {
    check_port(&args.host, args.port)?;
    check_writable(&args.folder.data_dir)?;
    let given = |url: &Option<String>| url.clone().filter(|url| !url.trim().is_empty());
    let (database_url, nats_url) = (given(&args.database_url), given(&args.nats_url));
    if let Some(url) = &database_url {
        address::check_database_url(url).await?;
    }
    if let Some(url) = &nats_url {
        address::check_nats_url(url).await?;
    }
    Services::start(ServicesOptions {
        data_dir: args.folder.data_dir.clone(),
        ephemeral: args.ephemeral,
        database_url,
        nats_url,
        own_bin: own_bin()?,
        durable: !args.ephemeral,
    })
    .await
}

fn check_port(host: &str, port: u16) -> anyhow::Result<()> {
    match TcpListener::bind((host, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(anyhow!(
            "port {port} of {host} is taken by another program: stop it, or choose another port with --port"
        )),
        Err(error) => Err(anyhow!("the service cannot listen on {host}, port {port}: {error}")),
    }
}

/// Opens the folder early, so that its refusal comes before a server far away is asked.
fn check_writable(data_dir: &Path) -> anyhow::Result<()> {
    DataFolder::open(data_dir)?.check_free_space()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(data_dir: &Path, port: u16) -> UpArgs {
        UpArgs {
            folder: FolderArgs { data_dir: data_dir.to_owned() },
            port,
            host: "127.0.0.1".to_owned(),
            ephemeral: true,
            database_url: None,
            nats_url: None,
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_refused_before_anything_is_made() {
        let temporary = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let data_dir = temporary.path().join("data");
        let error = prepare_up(&args(&data_dir, port)).await.unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("taken"), "{error}");
        assert!(!data_dir.exists());
    }

    #[tokio::test]
    async fn a_bad_database_url_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let mut args = args(&temporary.path().join("data"), 0);
        args.database_url = Some("db.example".to_owned());
        assert!(prepare_up(&args).await.unwrap_err().to_string().contains("DATABASE_URL is not a Postgres URL"));
    }
}
