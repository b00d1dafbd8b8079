//! A Redis that has each write on disk before it answers.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

const PROGRAM: &str = "redis-server";
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server; killed when dropped.
pub struct Redis {
    child: Child,
    /// Open for as long as it may write there.
    _lines: Lines<BufReader<ChildStdout>>,
    /// On the loopback address.
    pub port: u16,
    /// Its name and version.
    pub name: String,
}

impl Redis {
    /// Starts it, with its data in a folder.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let name = version().await?;
        std::fs::create_dir_all(folder)?;
        // Free for a moment; nobody else asks for it by number.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut child = Command::new(PROGRAM)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("redis-server could not be started")?;
        let mut lines = BufReader::new(child.stdout.take().context("redis-server has no output")?).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if line.contains("Ready to accept connections") {
                    return Ok(());
                }
            }
            bail!("redis-server ended before it was ready")
        };
        timeout(START_TIMEOUT, ready).await.context("redis-server did not come up in time")??;
        Ok(Self { child, _lines: lines, port, name })
    }

    /// Ends it.
    pub async fn stop(mut self) {
        // Dropping kills it; the wait only keeps it from lingering.
        let _ = self.child.kill().await;
    }
}

/// `Redis 7.0.15`, from `Redis server v=7.0.15 …`.
async fn version() -> anyhow::Result<String> {
    let mut asked = Command::new(PROGRAM);
    asked.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let told = timeout(START_TIMEOUT, asked.output()).await.context("redis-server does not say its version")?;
    let told = told.context("redis-server is not found; on Debian: apt-get install redis-server")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let version = told.split_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(format!("Redis {}", version.context("redis-server does not say its version")?))
}
