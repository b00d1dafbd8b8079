//! Reading what a program prints: never more than a bound in memory, never so slowly that the program blocks.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::Notify,
};

use super::Stream;
use crate::jobs::text::{split_at_end, storable};

/// Who is told what a program prints.
pub(super) type Listener = Box<dyn Fn(Stream, &[u8]) + Send + Sync>;

/// Both streams of a program together.
pub(super) struct Printed {
    listener: Listener,
    bytes: AtomicU64,
    limit: u64,
    flooded: Notify,
}

impl Printed {
    pub(super) fn new(limit: u64, listener: Listener) -> Self {
        Self { listener, bytes: AtomicU64::new(0), limit, flooded: Notify::new() }
    }

    /// Waits until more was printed than allowed.
    pub(super) async fn flooded(&self) {
        self.flooded.notified().await;
    }

    /// Passes a piece on, unless it is beyond the limit.
    fn take(&self, stream: Stream, piece: &[u8]) {
        let length = piece.len() as u64;
        if self.bytes.fetch_add(length, Ordering::Relaxed).saturating_add(length) > self.limit {
            self.flooded.notify_one();
        } else {
            (self.listener)(stream, piece);
        }
    }
}

/// The kept beginning of a stream.
pub(super) struct Capture {
    stream: Stream,
    kept: Vec<u8>,
    limit: usize,
    truncated: bool,
}

impl Capture {
    pub(super) fn new(stream: Stream, limit: usize) -> Self {
        Self { stream, kept: Vec::new(), limit, truncated: false }
    }

    /// Whether something was thrown away.
    pub(super) fn truncated(&self) -> bool {
        self.truncated
    }

    /// Reads to the end. An unreadable stream is an ended one.
    pub(super) async fn drain(&mut self, mut from: impl AsyncRead + Unpin, printed: &Printed) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read) = from.read(&mut buffer).await
            && read > 0
        {
            printed.take(self.stream, &buffer[..read]);
            let room = self.limit - self.kept.len();
            self.truncated |= read > room;
            self.kept.extend_from_slice(&buffer[..read.min(room)]);
        }
    }

    /// The text of what was kept, without a character at the end of which only the first bytes are there.
    pub(super) fn into_text(self) -> String {
        let split = if self.truncated { split_at_end(&self.kept) } else { 0 };
        storable(&self.kept[..self.kept.len() - split])
    }
}
