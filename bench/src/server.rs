//! The service under measurement, as a process of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use workroom_dev::{
    child::own_bin,
    services::{Services, ServicesOptions},
};

/// Linux tells processor time in these, on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// Postgres and NATS of their own, for one benchmark, on a disk that is synced.
///
/// # Errors
/// They cannot be had, or do not start.
pub async fn services() -> anyhow::Result<Services> {
    let data_dir = std::env::var_os("WORKROOM_DATA_DIR").map_or_else(|| PathBuf::from(".workroom"), PathBuf::from);
    let options = ServicesOptions {
        data_dir,
        ephemeral: true,
        database_url: None,
        nats_url: None,
        own_bin: own_bin()?,
        durable: true,
    };
    Services::start(options).await
}

/// A running service; killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens: `host:port`.
    pub address: String,
}

impl Server {
    /// Starts the service over this database and NATS.
    ///
    /// # Errors
    /// It does not come up within twenty seconds.
    pub async fn start(binary: &Path, database_url: &str, nats_url: &str) -> anyhow::Result<Self> {
        Self::start_with(binary, database_url, nats_url, &[]).await
    }

    /// As [`Server::start`], with further settings.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(
        binary: &Path,
        database_url: &str,
        nats_url: &str,
        variables: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(binary)
            .args(["serve", "--port", "0"])
            .env("DATABASE_URL", database_url)
            .env("NATS_URL", nats_url)
            .env("RUST_LOG", "error")
            .env("WORKROOM_TRUSTED_PROXIES", "1")
            .env("WORKROOM_EMAIL_PROOF", "trusted")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the service could not be started")?;
        let stdout = child.stdout.take().context("the service has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = tokio::time::timeout(Duration::from_secs(20), async {
            while let Some(line) = lines.next_line().await? {
                if let Some(address) = line.strip_prefix("Workroom listens on http://") {
                    return Ok(address.trim().to_owned());
                }
            }
            anyhow::bail!("the service ended before it listened")
        })
        .await
        .context("the service did not come up in time")??;
        Ok(Self { child, address })
    }

    /// The id of its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Memory that the service occupies, in MiB (Linux only).
    pub fn resident_mib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib / 1024.0)
    }

    /// Processor time that the service has used, in user and system mode (Linux only).
    pub fn processor_time(&self) -> Option<Duration> {
        // proc_pid_stat(5): fields 14 and 15, counted behind the name, which is in parentheses.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()?)).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// Ends the service.
    pub async fn stop(mut self) {
        // Dropping kills it; the wait only keeps it from lingering.
        let _ = self.child.kill().await;
    }
}
