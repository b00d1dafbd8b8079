//! Programs of Node: installed with what they need, started, and given orders.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::{
    fs,
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::report::progress;

/// What all of them have in common.
const COMMON: &str = include_str!("peer.js");
const INSTALL_TIMEOUT: Duration = Duration::from_mins(2);
const START_TIMEOUT: Duration = Duration::from_secs(20);
const ORDER_TIMEOUT: Duration = Duration::from_mins(4);

/// A program.
pub struct Program {
    /// What it is called, also as a folder.
    pub name: &'static str,
    /// Its `package.json`.
    pub package: &'static str,
    /// Its code.
    pub code: &'static str,
}

/// A program that runs; killed when dropped.
pub struct Process {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// What it says of itself: its version, and that of Node.
    pub name: String,
}

impl Program {
    /// Writes it into its folder, and installs what it needs there once; returns the folder.
    ///
    /// # Errors
    /// Node or npm is missing, or npm cannot install it.
    pub async fn install(&self) -> anyhow::Result<PathBuf> {
        let data_dir = std::env::var_os("WORKROOM_DATA_DIR").map_or_else(|| PathBuf::from(".workroom"), PathBuf::from);
        let folder = data_dir.join("bench").join(self.name);
        fs::create_dir_all(&folder).await?;
        for (file, text) in [("package.json", self.package), ("worker.js", self.code), ("peer.js", COMMON)] {
            fs::write(folder.join(file), text).await?;
        }
        run(&folder, "node", &["--version"]).await?;
        // A copy of what was asked for: another version is installed anew.
        let installed = folder.join("installed.json");
        if fs::read_to_string(&installed).await.is_ok_and(|package| package == self.package) {
            return Ok(folder);
        }
        progress(&format!("npm installs {}", self.name));
        let quietly =
            ["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        run(&folder, "npm", &quietly).await?;
        fs::write(installed, self.package).await?;
        Ok(folder)
    }
}

/// Runs a program to its end.
async fn run(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(INSTALL_TIMEOUT, command.output()).await;
    let output = output.with_context(|| format!("{program} takes too long"))?;
    let output = output.with_context(|| format!("{program} is missing, or cannot be run"))?;
    ensure!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

impl Process {
    /// Starts the program of a folder, and waits until it is ready.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(folder: &Path, argument: &str) -> anyhow::Result<Self> {
        let mut child = Command::new("node")
            .args(["worker.js", argument])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("Node could not be started")?;
        let (orders, stdout) = child.stdin.take().zip(child.stdout.take()).context("Node has no input and output")?;
        let mut answers = BufReader::new(stdout).lines();
        let ready = async {
            while let Some(line) = answers.next_line().await? {
                if let Some(name) = line.strip_suffix(" is ready") {
                    return Ok(name.to_owned());
                }
            }
            bail!("the program ended before it was ready")
        };
        let name = timeout(START_TIMEOUT, ready).await.context("the program did not come up in time")??;
        Ok(Self { child, orders, answers, name })
    }

    /// Gives an order, and returns what it answers.
    ///
    /// # Errors
    /// It ends, or does not answer in time.
    pub async fn order(&mut self, order: &Value) -> anyhow::Result<Value> {
        progress(&format!("{}: {order}", self.name));
        let answered = async {
            self.orders.write_all(format!("{order}\n").as_bytes()).await?;
            self.answers.next_line().await?.context("it has ended")
        };
        let answer =
            timeout(ORDER_TIMEOUT, answered).await.with_context(|| format!("{} does not answer", self.name))?;
        let answer = answer.with_context(|| format!("{} failed", self.name))?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// Ends it.
    pub async fn stop(mut self) {
        // Dropping kills it; the wait only keeps it from lingering.
        let _ = self.child.kill().await;
    }
}
