//! What programs print, as text that Postgres stores.

/// How many bytes at the end begin a character whose other bytes are missing.
pub(super) fn split_at_end(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3)..bytes.len();
    let start = tail.rev().find(|&at| bytes[at] & 0b1100_0000 != 0b1000_0000);
    let split = start.filter(|&at| {
        let length = match bytes[at] {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 1,
        };
        at + length > bytes.len()
    });
    split.map_or(0, |at| bytes.len() - at)
}

/// The text of these bytes. Postgres refuses NUL, so it becomes U+FFFD like any other garbage.
pub(super) fn storable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text.into_owned() }
}
