//! The commands of the `workroom` binary.

mod accounts;
mod audit;
mod export;
mod jobs;
mod keys;
mod log_keys;
mod output;
mod projections;
mod redact;
mod serve;

use clap::{Parser, Subcommand};

/// The backend of a real-time collaborative workspace.
#[derive(Parser)]
#[command(name = "workroom", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve, over the Postgres and NATS that are configured.
    Serve(serve::ServeArgs),
    /// Bring the database's schema up to date and exit.
    Migrate,
    /// List or rotate the keys that sign access tokens.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// List or rotate the keys that sign checkpoints of the log.
    #[command(subcommand)]
    LogKeys(log_keys::LogKeysCommand),
    /// Close an account to its owner, or open it again.
    #[command(subcommand)]
    Accounts(accounts::AccountsCommand),
    /// Say what organizations get of the workers, and list the rules for jobs.
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Prove something about the whole log by replaying it.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Compare the read models with a replay of the log, or make them again from it.
    #[command(subcommand)]
    Projections(projections::ProjectionsCommand),
    /// Print the OpenAPI document.
    Openapi,
}

/// Runs the command that the arguments name.
///
/// # Errors
/// Whatever kept it from succeeding, as one sentence.
pub fn main() -> anyhow::Result<std::process::ExitCode> {
    // This one becomes another program: nothing may run beside it, and nothing else is put together for it.
    if let Some(failure) = workroom_launcher::run() {
        return Err(failure.into());
    }
    let command = Cli::parse().command;
    crate::identity::signing_key::install_crypto_provider();
    let done = std::process::ExitCode::SUCCESS;
    match command {
        Command::Serve(args) => serve::serve(args).map(|()| done),
        Command::Migrate => runtime()?.block_on(serve::migrate()).map(|()| done),
        Command::Keys(command) => runtime()?.block_on(keys::run(command)).map(|()| done),
        Command::LogKeys(command) => runtime()?.block_on(log_keys::run(command)).map(|()| done),
        Command::Accounts(command) => runtime()?.block_on(accounts::run(command)).map(|()| done),
        Command::Jobs(command) => runtime()?.block_on(jobs::run(command)).map(|()| done),
        Command::Audit(command) => runtime()?.block_on(audit::run(command)),
        Command::Projections(command) => runtime()?.block_on(projections::run(command)),
        Command::Openapi => output::line(&crate::http::router::document().to_pretty_json()?).map(|()| done),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Says on stderr, in one line, why a command failed.
pub fn complain(error: &anyhow::Error) {
    use std::io::Write;
    // Nobody may be listening; the exit code tells the same.
    let _ = writeln!(std::io::stderr().lock(), "workroom: {error:#}");
}
