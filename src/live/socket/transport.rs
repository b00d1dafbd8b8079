//! The WebSocket (RFC 6455) under a socket: the connection that a request was upgraded to, and what its peer may send in
//! frames.
//!
//! Messages are counted where they are read, but a message may come in any number of frames, empty ones too, and costs
//! nothing but the reader's time until it is whole. So frames are counted before the reader sees them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::live::{limits::Limits, socket::token_bucket::TokenBucket};

/// Bytes that a socket reads at a time: clients say little, and every idle socket has this buffer.
const READ_BUFFER: usize = 1024;
/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 4096;
/// Bytes that may wait to be written: more than the largest frame.
const MAX_WRITE_BUFFER: usize = 8 * 1024 * 1024;
/// Frames that a client may send for each message that it may.
const FRAMES_PER_MESSAGE: u32 = 4;

/// A WebSocket of ours.
pub(in crate::live) type WebSocket = WebSocketStream<Counted<TokioIo<Upgraded>>>;

/// A WebSocket over a connection that was upgraded.
pub(in crate::live) async fn open(upgraded: Upgraded, limits: &Limits) -> WebSocket {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(Some(limits.message_bytes))
        .max_frame_size(Some(limits.message_bytes));
    let frames = TokenBucket::new(
        limits.messages_per_second.saturating_mul(FRAMES_PER_MESSAGE),
        limits.message_burst.saturating_mul(FRAMES_PER_MESSAGE),
        Instant::now(),
    );
    let counted = Counted { inner: TokioIo::new(upgraded), parser: Parser::default(), frames };
    WebSocketStream::from_raw_socket(counted, Role::Server, Some(config)).await
}

/// More frames than a client may send.
#[derive(Debug, thiserror::Error)]
#[error("too many frames")]
struct TooManyFrames;

/// Whether a socket failed because its peer sent too many frames.
pub(in crate::live) fn is_flood(error: &Error) -> bool {
    let Error::Io(error) = error else { return false };
    error.get_ref().and_then(|source| source.downcast_ref::<TooManyFrames>()).is_some()
}

/// A connection whose frames are counted as they come in.
pub(in crate::live) struct Counted<S> {
    inner: S,
    parser: Parser,
    frames: TokenBucket,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = read {
            let begun = self.parser.feed(&buffer.filled()[before..]);
            if begun > 0 {
                let now = Instant::now();
                if !(0..begun).all(|_| self.frames.take(now)) {
                    return Poll::Ready(Err(io::Error::other(TooManyFrames)));
                }
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
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
    /// Takes bytes in; returns how many headers of frames ended in them.
    fn feed(&mut self, mut bytes: &[u8]) -> usize {
        let mut frames = 0;
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
                frames += 1;
            }
        }
        frames
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

    fn frame(payload: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut bytes = vec![0x80];
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
        let bytes: Vec<u8> = sizes.iter().flat_map(|size| frame(*size, size % 2 == 0)).collect();
        for portion in [1, 2, 3, 7, 1024, bytes.len()] {
            let mut parser = Parser::default();
            let found: usize = bytes.chunks(portion).map(|portion| parser.feed(portion)).sum();
            assert_eq!(found, sizes.len(), "in portions of {portion}");
        }
    }
}
