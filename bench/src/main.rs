//! Benchmarks of Workroom, each measured beside a yardstick in the same run on the same machine: the ratio is the
//! result, the absolute figures only say how fast the machine was. `./dev bench` runs them from a fresh clone.

mod audit;
mod commands;
mod hot;
mod http_client;
mod jobs;
mod live;
mod logins;
mod mail_sink;
mod pgbench;
mod report;
mod samples;
mod server;
mod tasks;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use tokio::time::timeout;

/// The service's own: appends are measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Benchmarks of Workroom.
#[derive(Parser)]
#[command(name = "./dev bench")]
struct Cli {
    /// Exit with 1 when a figure missed the bar that is printed with it, and say which.
    #[arg(long, global = true)]
    check: bool,
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// The whole log at 1,000,000 events: replaying it into fresh views, exporting it beside psql's COPY, verifying the export on
    /// one core, a project as it was, how far signed checkpoints are behind, and the memory of each.
    Audit(audit::AuditOptions),
    /// Commands: pgbench's one-row insert, appends into the log, and whole commands over HTTP, at 1, 16 and 64
    /// connections; and commands on aggregates with short and long histories.
    Commands(Options),
    /// Sixty-four clients on one project beside the same on a project each, through one and two instances; an append of
    /// 10,000 events to one feed beside 10,000 feeds.
    Hot(Options),
    /// Jobs from end to end, jobs that wait, and how soon they start, beside two job queues of Node; what the sandbox
    /// adds; how soon a cancelled job is dead, and a job of a killed worker runs again.
    Jobs(Options),
    /// How long an event takes to a socket; deliveries a second at 64 writers and 100 readers, beside Socket.IO, and what one
    /// costs; what idle sockets cost, those that come back, and those that do not read; how long a lost right lasts.
    Live(Options),
    /// What a flood of sign-ins costs those who are signed in, in time and memory.
    Logins(Options),
    /// Reads and lists at 100,000 tasks beside a bare health request, creating tasks beside changing projects, and the
    /// reminders of 10,000 tasks that are due at one moment.
    Tasks(Options),
}

/// How long to measure, and where to write the figures.
#[derive(Args)]
pub struct Options {
    /// Seconds that each figure is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How often everything is measured; the medians are reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measure only these: insert, append, command, history; create, lists, reminders; projects, feeds;
    /// latency, deliveries, idle, resume, storm, slow, rights, wiped; throughput, drain, start, delayed, sandbox,
    /// cancel, killed, bullmq, graphile (these two with what is compared with them); replay, export, verify, lag, tree, `as_of`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Also write the figures to this file, as one JSON object.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Options {
    /// Whether this is to be measured.
    fn wants(&self, subject: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == subject)
    }

    fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds.max(1))
    }

    /// Writes the figures to the file that was asked for, if any.
    fn write(&self, figures: impl Into<Value>) -> anyhow::Result<()> {
        let Some(path) = &self.json else { return Ok(()) };
        std::fs::write(path, format!("{:#}\n", figures.into()))
            .with_context(|| format!("{} could not be written", path.display()))
    }
}

/// What is measured, if that takes no longer than it may.
async fn within<T>(bound: Duration, measured: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let outcome = timeout(bound, Box::pin(measured)).await;
    outcome.with_context(|| format!("it takes longer than {} minutes", bound.as_secs() / 60))?
}

fn main() -> ExitCode {
    let Cli { check, benchmark } = Cli::parse();
    let outcome =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from).and_then(
            |runtime| {
                runtime.block_on(async {
                    match benchmark {
                        Benchmark::Audit(options) => audit::run(&options).await,
                        Benchmark::Commands(options) => commands::run(&options).await,
                        Benchmark::Hot(options) => hot::run(&options).await,
                        Benchmark::Jobs(options) => jobs::run(&options).await,
                        Benchmark::Live(options) => live::run(&options).await,
                        Benchmark::Logins(options) => logins::run(&options).await,
                        Benchmark::Tasks(options) => tasks::run(&options).await,
                    }
                })
            },
        );
    match outcome.and_then(|()| if check { report::check() } else { Ok(()) }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
