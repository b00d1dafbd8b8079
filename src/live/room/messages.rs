//! Custom messages: kept for a moment, for those whose clients read a little later.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;

/// Bytes of a custom message's data.
pub(in crate::live) const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Characters of a custom message's name.
pub(in crate::live) const MAX_NAME: usize = 64;
/// Messages that are kept.
const KEPT: usize = 256;
/// Bytes of messages that are kept.
const KEPT_BYTES: usize = 256 * 1024;
/// How long a message is kept.
const AGE: Duration = Duration::from_secs(10);

/// A message that was said.
pub(super) struct Said {
    pub(super) frame: Utf8Bytes,
    /// The connection that said it, which does not get it back.
    pub(super) by: Option<Uuid>,
}

/// The messages that are kept, by the room's version.
#[derive(Default)]
pub(super) struct Messages {
    kept: VecDeque<(Instant, u64, usize)>,
    bytes: usize,
}

impl Messages {
    /// Keeps a message; returns the versions of those that are too many.
    pub(super) fn keep(&mut self, version: u64, bytes: usize, now: Instant) -> Vec<u64> {
        self.bytes += bytes;
        self.kept.push_back((now, version, bytes));
        let mut dropped = Vec::new();
        while self.kept.len() > KEPT || (self.bytes > KEPT_BYTES && self.kept.len() > 1) {
            dropped.extend(self.drop_first());
        }
        dropped
    }

    /// Lets go of old ones; returns their versions.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<u64> {
        let mut dropped = Vec::new();
        while self.kept.front().is_some_and(|(at, ..)| now - *at >= AGE) {
            dropped.extend(self.drop_first());
        }
        dropped
    }

    /// When the oldest is too old.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.kept.front().map(|(at, ..)| *at + AGE)
    }

    fn drop_first(&mut self) -> Option<u64> {
        let (_, version, bytes) = self.kept.pop_front()?;
        self.bytes -= bytes;
        Some(version)
    }
}
