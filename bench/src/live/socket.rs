//! A WebSocket client with as little work of its own as possible: it finds frames (RFC 6455, 5.2), and answers pings.

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// First bytes of frames: whole messages, and control frames.
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
/// An empty pong, masked with zeros.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
const MASKED: u8 = 0x80;
/// The length follows in two bytes.
const EXTENDED: u8 = 0x7e;

/// An open WebSocket.
pub struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the next frame begins.
    at: usize,
}

impl Socket {
    /// Makes a WebSocket of a connection. `headers` are whole lines.
    ///
    /// # Errors
    /// It is refused.
    pub async fn open(mut stream: TcpStream, address: &str, path: &str, headers: &str) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Self { stream, buffer: Vec::new(), at: 0 };
        let end = loop {
            if let Some(end) = socket.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            socket.more().await?;
        };
        ensure!(socket.buffer.starts_with(b"HTTP/1.1 101"), "no WebSocket");
        socket.at = end;
        Ok(socket)
    }

    /// Makes room for many messages in one read.
    pub fn reserve(&mut self, bytes: usize) {
        self.buffer.reserve(bytes);
    }

    /// The next message.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn message(&mut self) -> anyhow::Result<&[u8]> {
        loop {
            if let Some((first, begin, end)) = self.frame() {
                self.at = end;
                match first {
                    TEXT => return Ok(&self.buffer[begin..end]),
                    PING => self.stream.write_all(&PONG).await?,
                    _ => ensure!(first != CLOSE, "the socket is closed"),
                }
            } else {
                self.more().await?;
            }
        }
    }

    /// Sends a message, masked with zeros.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        let mut frame = vec![TEXT];
        match u8::try_from(text.len()) {
            Ok(short) if short < 126 => frame.push(MASKED | short),
            _ => {
                frame.push(MASKED | EXTENDED);
                frame.extend(u16::try_from(text.len()).context("a message is too long")?.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        Ok(self.stream.write_all(&frame).await?)
    }

    /// The first byte of the next frame, and where its payload is.
    fn frame(&self) -> Option<(u8, usize, usize)> {
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
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the peer hung up");
        Ok(())
    }
}
