//! Reading what a program prints: never more than a bound in memory, never so slowly that the program blocks.

use tokio::io::{AsyncRead, AsyncReadExt};

/// The kept beginning of a stream.
pub(super) struct Capture {
    kept: Vec<u8>,
    limit: usize,
    truncated: bool,
}

impl Capture {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), limit, truncated: false }
    }

    /// Whether something was thrown away.
    pub(super) fn truncated(&self) -> bool {
        self.truncated
    }

    /// Reads to the end. An unreadable stream is an ended one.
    pub(super) async fn drain(&mut self, mut stream: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read) = stream.read(&mut buffer).await
            && read > 0
        {
            let room = self.limit - self.kept.len();
            self.truncated |= read > room;
            self.kept.extend_from_slice(&buffer[..read.min(room)]);
        }
    }

    /// The text, fit for a `text` column: Postgres refuses NUL, so it becomes U+FFFD like any other garbage.
    pub(super) fn into_text(self) -> String {
        let whole = if self.truncated { without_split_character(&self.kept) } else { &self.kept };
        let text = String::from_utf8_lossy(whole);
        if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text.into_owned() }
    }
}

/// Cuts off a last character of which only the first bytes are there.
fn without_split_character(bytes: &[u8]) -> &[u8] {
    let tail = bytes.len().saturating_sub(3)..bytes.len();
    let split = tail.rev().find(|&at| bytes[at] & 0b1100_0000 != 0b1000_0000).filter(|&at| {
        let length = match bytes[at] {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 1,
        };
        at + length > bytes.len()
    });
    &bytes[..split.unwrap_or(bytes.len())]
}
