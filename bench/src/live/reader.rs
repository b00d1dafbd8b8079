//! A subscriber with as little work of its own as possible: it finds frames (RFC 6455, 5.2) and passes over what is in them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What an event's frame begins with.
const EVENT: &[u8] = br#"{"type":"event""#;
/// The first byte of a whole text message.
const TEXT: u8 = 0x81;

/// A subscriber of one project.
pub struct Reader {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the next frame begins.
    at: usize,
    head: i64,
}

impl Reader {
    /// Opens a socket and subscribes to what comes.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn follow(address: &str, token: &str, project: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /api/v1/realtime HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: workroom.v1\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut reader = Self { stream, buffer: Vec::with_capacity(4096), at: 0, head: 0 };
        let end = loop {
            if let Some(end) = reader.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            reader.more().await?;
        };
        ensure!(reader.buffer.starts_with(b"HTTP/1.1 101"), "no WebSocket");
        reader.at = end;
        reader.send(&json!({"type": "subscribe", "project_id": project})).await?;
        loop {
            let (begin, end) = reader.frame().await?;
            let frame: Value = serde_json::from_slice(&reader.buffer[begin..end])?;
            match frame["type"].as_str() {
                Some("subscribed") => reader.head = frame["head"].as_i64().context("no head")?,
                Some("caught_up") => return Ok(reader),
                Some("welcome") => {}
                _ => bail!("{frame} came instead of a subscription"),
            }
        }
    }

    /// How far the project was when it subscribed.
    pub fn head(&self) -> i64 {
        self.head
    }

    /// Reads so many events: the place of each, and when it came.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn arrivals(mut self, count: usize) -> anyhow::Result<Vec<(i64, Instant)>> {
        let mut arrivals = Vec::with_capacity(count);
        while arrivals.len() < count {
            let (begin, end) = self.frame().await?;
            let (frame, now) = (&self.buffer[begin..end], Instant::now());
            if frame.starts_with(EVENT) {
                arrivals.push((seq(frame).context("an event without a place")?, now));
            }
        }
        Ok(arrivals)
    }

    /// Counts events until it is aborted.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn count(mut self, delivered: Arc<AtomicU64>) -> anyhow::Result<()> {
        loop {
            let (begin, end) = self.frame().await?;
            if self.buffer[begin..end].starts_with(EVENT) {
                delivered.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The next text frame's place in the buffer.
    async fn frame(&mut self) -> anyhow::Result<(usize, usize)> {
        loop {
            if let Some((first, begin, end)) = self.complete() {
                self.at = end;
                if first == TEXT {
                    return Ok((begin, end));
                }
                ensure!(first != 0x88, "the socket is closed");
                continue;
            }
            self.more().await?;
        }
    }

    fn complete(&self) -> Option<(u8, usize, usize)> {
        let bytes = &self.buffer[self.at..];
        let (length, header) = match *bytes.get(1)? {
            126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
            short => (usize::from(short), 2),
        };
        let (begin, end) = (self.at + header, self.at + header + length);
        (end <= self.buffer.len()).then_some((bytes[0], begin, end))
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the service hung up");
        Ok(())
    }

    /// Sends a short message, masked with zeros.
    async fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        let text = message.to_string();
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).context("a short message")?;
        let frame = [&[TEXT, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
        Ok(self.stream.write_all(&frame).await?)
    }
}

/// The place of an event, which stands near the beginning of its frame.
fn seq(frame: &[u8]) -> Option<i64> {
    const NAME: &[u8] = br#""seq":"#;
    let begin = frame.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let digits = frame[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&frame[begin..begin + digits]).ok()?.parse().ok()
}
