//! The WebSocket (RFC 6455): the connection that a request was upgraded to, and what its peer may send in frames.
//!
//! Messages are counted where they are understood. But a message may come in any number of frames, empty ones too, and costs
//! nothing but the reader's time until it is whole; and pings are answered. So frames that are no whole message are counted
//! before the reader sees them.

mod outgoing;
pub(crate) mod upgrade;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Bytes;
use futures::{Sink, SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use self::outgoing::Outgoing;
use super::{Failure, Incoming, Item, Transport};
use crate::live::{
    connection::{close::Close, token_bucket::TokenBucket},
    limits::Limits,
};

/// Bytes that a socket reads at a time: clients say little, and every idle socket has this buffer.
const READ_BUFFER: usize = 512;
/// Bytes that are gathered before they are written.
const GATHERED: usize = 64 * 1024;
/// Bytes of answers (to pings, to a close frame) that may wait where [`Outgoing`] takes no more.
const MAX_ANSWERS: usize = 64 * 1024;
/// Frames that are no message of their own, for each message that a client may send.
const FRAMES_PER_MESSAGE: u32 = 4;

/// A WebSocket over a connection.
pub(in crate::live) struct WebSocket<S> {
    stream: WebSocketStream<Wire<S>>,
    has_ended: bool,
}

/// A WebSocket over a connection that was upgraded.
pub(in crate::live) async fn open(upgraded: Upgraded, limits: &Limits) -> Box<dyn Transport> {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner();
            if limits.send_buffer > 0 {
                // Else the kernel takes in megabytes for a peer that takes nothing.
                let size = usize::try_from(limits.send_buffer).unwrap_or(usize::MAX);
                if let Err(error) = SockRef::from(&stream).set_send_buffer_size(size) {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a socket's buffer could not be set");
                }
            }
            over(stream, parts.read_buf.to_vec(), limits).await
        }
        Err(upgraded) => over(TokioIo::new(upgraded), Vec::new(), limits).await,
    }
}

/// A WebSocket over a connection of which so much has been read already.
async fn over<S>(inner: S, read: Vec<u8>, limits: &Limits) -> Box<dyn Transport>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_ANSWERS)
        .max_message_size(Some(limits.message_bytes))
        .max_frame_size(Some(limits.message_bytes));
    let frames = TokenBucket::new(
        limits.messages_per_second.saturating_mul(FRAMES_PER_MESSAGE),
        limits.message_burst.saturating_mul(FRAMES_PER_MESSAGE),
        Instant::now(),
    );
    let mut parser = Parser::default();
    // A header's worth of frames at most, which nobody needs to count.
    parser.feed(&read);
    let wire = Wire { inner, parser, frames, outgoing: Outgoing::default() };
    let stream = WebSocketStream::from_partially_read(wire, read, Role::Server, Some(config)).await;
    Box::new(WebSocket { stream, has_ended: false })
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Transport for WebSocket<S> {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Incoming, Failure>> {
        Poll::Ready(match ready!(self.stream.poll_next_unpin(context)) {
            Some(Ok(Message::Text(text))) => Ok(Incoming::Text(text)),
            Some(Ok(Message::Binary(_))) => Ok(Incoming::Binary),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Incoming::Alive),
            Some(Ok(Message::Close(_))) | None => Ok(Incoming::Gone),
            Some(Err(error)) => Err(failure(&error)),
        })
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.stream.get_ref().outgoing.waiting() >= GATHERED {
            ready!(self.stream.poll_flush_unpin(context)).map_err(|error| failure(&error))?;
        }
        self.stream.poll_ready_unpin(context).map_err(|error| failure(&error))
    }

    fn send(&mut self, item: Item) -> Result<(), Failure> {
        let message = match item {
            Item::Frame(text, _) => {
                self.stream.get_mut().outgoing.text(text.into());
                return Ok(());
            }
            Item::Ping => {
                self.stream.get_mut().outgoing.shrink();
                Message::Ping(Bytes::new())
            }
            Item::Close(close) => {
                Message::Close(Some(CloseFrame { code: close.code().into(), reason: close.reason().into() }))
            }
        };
        self.stream.start_send_unpin(message).map_err(|error| failure(&error))
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.stream.poll_flush_unpin(context).map_err(|error| failure(&error))
    }

    fn has_taken(&mut self) -> bool {
        self.stream.get_mut().outgoing.take_progress()
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // The answer to the peer's close frame goes out with the next read.
        while !self.has_ended {
            self.has_ended = !matches!(ready!(self.stream.poll_next_unpin(context)), Some(Ok(_)));
        }
        // It appends what is left, and takes the connection for closed before that is written.
        let _ = ready!(Pin::new(&mut self.stream).poll_close(context));
        self.stream.get_mut().poll_write_out(context).map(drop)
    }

    fn is_one_way(&self) -> bool {
        false
    }
}

fn failure(error: &Error) -> Failure {
    tracing::debug!(error = error as &dyn std::error::Error, "a socket failed");
    match error {
        Error::Capacity(_) => Failure::Broken(Close::TooBig),
        Error::Utf8(_) | Error::Protocol(_) => Failure::Broken(Close::Malformed),
        error if is_flood(error) => Failure::Broken(Close::TooManyMessages),
        _ => Failure::Gone,
    }
}

/// More frames than a client may send.
#[derive(Debug, thiserror::Error)]
#[error("too many frames")]
struct TooManyFrames;

/// Whether a socket failed because its peer sent too many frames.
fn is_flood(error: &Error) -> bool {
    let Error::Io(error) = error else { return false };
    error.get_ref().and_then(|source| source.downcast_ref::<TooManyFrames>()).is_some()
}

/// A connection whose frames are counted as they come in, and gathered as they go out.
///
/// Messages go to the client from [`Outgoing`]. What the reader answers by itself (to pings, to a close frame) is appended there as
/// whole frames, so that it never gets into the middle of a message.
struct Wire<S> {
    inner: S,
    parser: Parser,
    frames: TokenBucket,
    outgoing: Outgoing,
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    fn poll_write_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_write(&mut self.inner, context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = read {
            let extra = self.parser.feed(&buffer.filled()[before..]);
            if extra > 0 {
                let now = Instant::now();
                if !(0..extra).all(|_| self.frames.take(now)) {
                    return Poll::Ready(Err(io::Error::other(TooManyFrames)));
                }
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Answers to a client that takes nothing stay with the reader, whose buffer is bounded: here each would cost a frame.
        if self.outgoing.waiting() > 0 {
            ready!(self.poll_write_out(context))?;
        }
        self.outgoing.frames(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Finds where frames begin (RFC 6455, 5.2). What is no frame is left to the reader to refuse.
#[derive(Default)]
struct Parser {
    header: [u8; 14],
    /// Bytes of the header that are there.
    have: usize,
    /// Bytes of the payload that are still to come.
    payload: u64,
}

impl Parser {
    /// Takes bytes in; returns how many headers ended in them of frames that are no whole message.
    fn feed(&mut self, mut bytes: &[u8]) -> usize {
        let mut extra = 0;
        while !bytes.is_empty() {
            if self.payload > 0 {
                let skipped = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
                self.payload -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header[self.have] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            if let Some(payload) = self.complete() {
                (self.have, self.payload) = (0, payload);
                extra += usize::from(!self.is_message());
            }
        }
        extra
    }

    /// Whether the header is that of a whole message of text or bytes.
    fn is_message(&self) -> bool {
        matches!(self.header[0], 0x81 | 0x82)
    }

    /// The length of the payload, once the header is complete.
    fn complete(&self) -> Option<u64> {
        if self.have < 2 {
            return None;
        }
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        let (extended, short) = match self.header[1] & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, u64::from(short)),
        };
        if self.have < 2 + extended + mask {
            return None;
        }
        let length = &self.header[2..2 + extended];
        Some(length.iter().fold(short, |length, byte| (length << 8) | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut bytes = vec![first];
        match (u8::try_from(payload), u16::try_from(payload)) {
            (Ok(short), _) if short < 126 => bytes.push(mask | short),
            (_, Ok(long)) => {
                bytes.push(mask | 0x7e);
                bytes.extend(long.to_be_bytes());
            }
            _ => {
                bytes.push(mask | 0x7f);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([7; 4].iter().take(if masked { 4 } else { 0 }));
        bytes.extend(std::iter::repeat_n(0x82, payload));
        bytes
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 0, 0, 3];
        // Continuations, and between them whole messages, which are counted elsewhere.
        let both = |size: &usize| [frame(0x80, *size, *size < 100), frame(0x81, *size, true)].concat();
        let bytes: Vec<u8> = sizes.iter().flat_map(both).collect();
        for portion in [1, 2, 3, 7, 1024, bytes.len()] {
            let mut parser = Parser::default();
            let found: usize = bytes.chunks(portion).map(|portion| parser.feed(portion)).sum();
            assert_eq!(found, sizes.len(), "in portions of {portion}");
        }
    }
}
