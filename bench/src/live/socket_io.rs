//! The peer of Workroom's deliveries: Socket.IO in one Node process, with as many readers in one room, and writers that
//! wait for an acknowledgement. It has the easier job: it stores nothing, gives no numbers and checks no rights.
//!
//! A packet is a text message: `0` opens (Engine.IO 4), `40` connects (Socket.IO 5), `2` is a ping and `3` its answer,
//! `42` is an event, `43` an acknowledgement. An event that is acknowledged has a number before its JSON; here it is 0.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};
use uuid::Uuid;

use super::{float, reader::MANY, socket::Socket};
use crate::{
    commands::change,
    report::{line, progress},
};

const PACKAGE: &str = include_str!("socket_io/package.json");
const SERVER: &str = include_str!("socket_io/server.js");
const INSTALL_TIMEOUT: Duration = Duration::from_mins(2);
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// What an event's packet begins with.
const EVENT: &[u8] = br#"42["event""#;
const ACKNOWLEDGEMENT: &[u8] = b"430[]";
const PING: &[u8] = b"2";
const PONG: &str = "3";

/// A running Socket.IO server; killed when dropped.
pub struct SocketIo {
    child: Child,
    /// Where it listens: `host:port`.
    address: String,
    /// Its version, and that of Node.
    name: String,
}

impl SocketIo {
    /// Installs and starts it. Where Node or npm is missing, or npm cannot install it, the report says so.
    ///
    /// # Errors
    /// It is installed, but does not start.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let data_dir = std::env::var_os("WORKROOM_DATA_DIR").map_or_else(|| PathBuf::from(".workroom"), PathBuf::from);
        let folder = data_dir.join("bench/socket-io");
        if let Err(error) = install(&folder).await {
            line(&format!("Socket.IO is left out: {error:#}"));
            return Ok(None);
        }
        let mut child = Command::new("node")
            .arg("server.js")
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the Socket.IO server could not be started")?;
        let stdout = child.stdout.take().context("the Socket.IO server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let (name, address) = timeout(START_TIMEOUT, async {
            while let Some(line) = lines.next_line().await? {
                if let Some((name, address)) = line.split_once(" listens on ") {
                    return Ok((name.to_owned(), address.to_owned()));
                }
            }
            bail!("the Socket.IO server ended before it listened")
        })
        .await
        .context("the Socket.IO server did not come up in time")??;
        Ok(Some(Self { child, address, name }))
    }

    /// Deliveries a second to the readers of one room, while each writer sends events one after another.
    ///
    /// # Errors
    /// A socket is closed, or something else comes than is due.
    pub async fn deliveries(&self, readers: usize, writers: usize, duration: Duration) -> anyhow::Result<f64> {
        let project = Uuid::now_v7().to_string();
        let delivered = Arc::new(AtomicU64::new(0));
        let readers = try_join_all((0..readers).map(|_| follow(&self.address, &project))).await?;
        let reading: Vec<_> =
            readers.into_iter().map(|reader| tokio::spawn(count(reader, Arc::clone(&delivered)))).collect();
        let end = Instant::now() + duration;
        let writers = (0..writers).map(|_| write_until(&self.address, &project, end));
        let begun = Instant::now();
        try_join_all(writers).await?;
        let (took, delivered) = (begun.elapsed(), delivered.load(Ordering::Relaxed));
        ensure!(!reading.iter().any(JoinHandle::is_finished), "a reader has lost its socket");
        reading.iter().for_each(JoinHandle::abort);
        Ok(float(delivered) / took.as_secs_f64())
    }

    /// Prints its deliveries a second beside Workroom's, and returns the figures.
    pub fn show(&self, ours: f64, theirs: f64) -> Value {
        let (name, ratio) = (&self.name, ours / theirs);
        line(&format!("the same with {name}: {theirs:.0} deliveries a second; ratio {ratio:.2}"));
        line("(Socket.IO has the easier job: it stores nothing, gives no numbers and checks no rights.)");
        json!({"name": name, "per_second": theirs, "ratio": ratio, "durable": false})
    }

    /// Ends the server.
    pub async fn stop(mut self) {
        // Dropping kills it; the wait only keeps it from lingering.
        let _ = self.child.kill().await;
    }
}

/// Writes the server into its folder, and installs what it needs there once.
async fn install(folder: &Path) -> anyhow::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(folder.join("package.json"), PACKAGE).await?;
    tokio::fs::write(folder.join("server.js"), SERVER).await?;
    run(folder, "node", &["--version"]).await?;
    // A copy of what was asked for: another version is installed anew.
    let installed = folder.join("installed.json");
    if tokio::fs::read_to_string(&installed).await.is_ok_and(|package| package == PACKAGE) {
        return Ok(());
    }
    progress("npm installs Socket.IO");
    let quietly = ["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    run(folder, "npm", &quietly).await?;
    Ok(tokio::fs::write(installed, PACKAGE).await?)
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

/// Opens a socket and connects it.
async fn connect(address: &str) -> anyhow::Result<Socket> {
    let stream = TcpStream::connect(address).await?;
    let mut socket = Socket::open(stream, address, "/socket.io/?EIO=4&transport=websocket", "").await?;
    receive(&mut socket, b"0{").await?;
    socket.send("40").await?;
    receive(&mut socket, b"40{").await?;
    Ok(socket)
}

/// A socket in the project's room.
async fn follow(address: &str, project: &str) -> anyhow::Result<Socket> {
    let mut socket = connect(address).await?;
    emit(&mut socket, &json!(["follow", project])).await?;
    Ok(socket)
}

/// Reads one packet, which must begin with `start`.
async fn receive(socket: &mut Socket, start: &[u8]) -> anyhow::Result<()> {
    let packet = socket.message().await?;
    ensure!(packet.starts_with(start), "Socket.IO sent {}", String::from_utf8_lossy(packet));
    Ok(())
}

/// Counts events until it is aborted.
async fn count(mut socket: Socket, delivered: Arc<AtomicU64>) -> anyhow::Result<()> {
    socket.reserve(MANY);
    loop {
        let packet = socket.message().await?;
        if packet.starts_with(EVENT) {
            delivered.fetch_add(1, Ordering::Relaxed);
        } else if packet == PING {
            // A socket that does not answer is closed.
            socket.send(PONG).await?;
        }
    }
}

/// Sends one event after another.
async fn write_until(address: &str, project: &str, end: Instant) -> anyhow::Result<()> {
    let mut socket = connect(address).await?;
    for number in 1.. {
        if Instant::now() >= end {
            break;
        }
        emit(&mut socket, &json!(["write", event(project, number)])).await?;
    }
    Ok(())
}

/// Sends an event and waits for its acknowledgement.
async fn emit(socket: &mut Socket, event: &Value) -> anyhow::Result<()> {
    socket.send(&format!("420{event}")).await?;
    loop {
        let packet = socket.message().await?;
        if packet == ACKNOWLEDGEMENT {
            return Ok(());
        }
        ensure!(packet == PING, "Socket.IO sent {}", String::from_utf8_lossy(packet));
        socket.send(PONG).await?;
    }
}

/// The frame of Workroom's `ProjectUpdated`, as long and with the same members.
fn event(project: &str, number: usize) -> Value {
    let [from, to] = [number, number + 1].map(|number| change(number)["description"].take());
    json!({
        "type": "event", "project_id": project, "seq": number, "position": number, "event_type": "ProjectUpdated",
        "occurred_at": "2026-11-20T10:00:00.000000Z", "actor": project,
        "data": {"type": "ProjectUpdated", "changes": {"description": {"from": from, "to": to}}},
        "aggregate_type": "project", "aggregate_id": project, "event_id": project,
    })
}
