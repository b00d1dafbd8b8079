//! A subscriber with as little work of its own as possible: it recognizes events, and passes over what is in them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::socket::Socket;

/// What an event's frame begins with.
const EVENT: &[u8] = br#"{"type":"event""#;

/// Bytes that are read at a time where only the number counts.
pub const MANY: usize = 64 * 1024;

/// A subscriber of one project.
pub struct Reader {
    socket: Socket,
    head: i64,
    epoch: String,
}

impl Reader {
    /// Opens a socket and subscribes to what comes.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn follow(address: &str, token: &str, project: &str) -> anyhow::Result<Self> {
        let mut reader = Self::open(TcpStream::connect(address).await?, address, token).await?;
        reader.subscribe(project, None).await?;
        while reader.next().await?["type"] != "caught_up" {}
        Ok(reader)
    }

    /// Opens a socket and subscribes behind a place; its history is yet to be read.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn resume(address: &str, token: &str, project: &str, epoch: &str, seq: i64) -> anyhow::Result<Self> {
        let mut reader = Self::open(TcpStream::connect(address).await?, address, token).await?;
        reader.subscribe(project, Some((epoch, seq))).await?;
        Ok(reader)
    }

    /// Makes a signed-in socket of a connection.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn open(stream: TcpStream, address: &str, token: &str) -> anyhow::Result<Self> {
        let headers = format!("sec-websocket-protocol: workroom.v1\r\nauthorization: Bearer {token}\r\n");
        let socket = Socket::open(stream, address, "/api/v1/realtime", &headers).await?;
        let mut reader = Self { socket, head: 0, epoch: String::new() };
        ensure!(reader.next().await?["type"] == "welcome", "no welcome");
        Ok(reader)
    }

    /// Subscribes to a project, behind a place if one is given.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn subscribe(&mut self, project: &str, since: Option<(&str, i64)>) -> anyhow::Result<()> {
        let mut message = json!({"type": "subscribe", "project_id": project});
        if let Some((epoch, seq)) = since {
            message["since"] = json!({"epoch": epoch, "seq": seq});
        }
        self.socket.send(&message.to_string()).await?;
        let subscribed = self.next().await?;
        ensure!(subscribed["type"] == "subscribed", "{subscribed} came instead of a subscription");
        self.head = subscribed["head"].as_i64().context("no head")?;
        subscribed["epoch"].as_str().context("no epoch")?.clone_into(&mut self.epoch);
        Ok(())
    }

    /// The next frame, whatever it is.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn next(&mut self) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(self.socket.message().await?)?)
    }

    /// How far the project was when it subscribed.
    pub fn head(&self) -> i64 {
        self.head
    }

    /// The history that the project's places are of.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Reads events up to a place: none is missing behind `after`, and none comes twice.
    ///
    /// # Errors
    /// One is; or the socket is closed.
    pub async fn read_to(&mut self, after: i64, last: i64) -> anyhow::Result<()> {
        self.socket.reserve(MANY);
        let mut at = after;
        while at < last {
            let frame = self.socket.message().await?;
            if frame.starts_with(EVENT) {
                at += 1;
                ensure!(seq(frame) == Some(at), "another event came in the place of {at}");
            }
        }
        Ok(())
    }

    /// Reads so many events: the place of each, and when it came.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn arrivals(mut self, count: usize) -> anyhow::Result<Vec<(i64, Instant)>> {
        let mut arrivals = Vec::with_capacity(count);
        while arrivals.len() < count {
            let frame = self.socket.message().await?;
            let now = Instant::now();
            if frame.starts_with(EVENT) {
                arrivals.push((seq(frame).context("an event without a place")?, now));
            }
        }
        Ok(arrivals)
    }

    /// Reads, and answers pings, until it is aborted.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn answer(mut self) -> anyhow::Result<()> {
        loop {
            self.socket.message().await?;
        }
    }

    /// Counts events until it is aborted.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn count(mut self, delivered: Arc<AtomicU64>) -> anyhow::Result<()> {
        self.socket.reserve(MANY);
        loop {
            if self.socket.message().await?.starts_with(EVENT) {
                delivered.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The place of an event, which stands near the beginning of its frame.
fn seq(frame: &[u8]) -> Option<i64> {
    const NAME: &[u8] = br#""seq":"#;
    let begin = frame.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let digits = frame[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&frame[begin..begin + digits]).ok()?.parse().ok()
}
