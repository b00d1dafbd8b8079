//! What stands for a text that was redacted.

use crate::file::Sha256;

/// What stands for a text.
pub const PLACEHOLDER: &str = "[redacted]";

/// What stands for the address of a picture: nobody has this domain (RFC 6761).
pub const ADDRESS: &str = "https://redacted.invalid/";

/// What stands for the digest of what was redacted. No content is known by it.
pub const DIGEST: Sha256 = Sha256([0; 32]);

/// The kinds of texts, by what may stand for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// Any text: [`PLACEHOLDER`].
    Text,
    /// One that tells things apart, such as a path: no two placeholders are the same.
    Unique,
    /// The digest of something kept outside the log: [`DIGEST`].
    Digest,
    /// The address of something on the web: [`ADDRESS`].
    Address,
}

impl Placeholder {
    /// The placeholder, for a text of the event at that position.
    pub fn text(self, position: i64) -> String {
        match self {
            Self::Text => PLACEHOLDER.to_owned(),
            Self::Unique => format!("{PLACEHOLDER}-{position}"),
            Self::Digest => hex::encode(DIGEST.0),
            Self::Address => ADDRESS.to_owned(),
        }
    }

    /// What stands for a text where only matters which event of its aggregate it is from. It is read as the placeholder is.
    pub(super) fn mark(self, sequence: i64) -> String {
        match self {
            Self::Text | Self::Unique => Self::Unique.text(sequence),
            Self::Digest => format!("{sequence:064x}"),
            Self::Address => format!("{ADDRESS}{sequence}"),
        }
    }

    /// The sequence of the event that a mark tells of.
    pub(super) fn marked(mark: &str) -> Option<i64> {
        let unique = mark.strip_prefix(PLACEHOLDER).and_then(|rest| rest.strip_prefix('-'));
        match unique.or_else(|| mark.strip_prefix(ADDRESS)) {
            Some(sequence) => sequence.parse().ok(),
            None => i64::from_str_radix(mark, 16).ok().filter(|_| mark.len() == 2 * DIGEST.0.len()),
        }
    }

    /// Whether a text is a placeholder that tells things apart.
    pub(crate) fn is_unique(text: &str) -> bool {
        let position = text.strip_prefix(PLACEHOLDER).and_then(|rest| rest.strip_prefix('-'));
        position.is_some_and(|position| !position.is_empty() && position.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_of_its_event_and_nothing_else_does() {
        for placeholder in [Placeholder::Text, Placeholder::Unique, Placeholder::Digest, Placeholder::Address] {
            for sequence in [1, 10, 4096, i64::MAX] {
                assert_eq!(Placeholder::marked(&placeholder.mark(sequence)), Some(sequence), "{placeholder:?}");
            }
        }
        let digest = "f".repeat(64);
        for other in ["", "12", "[redacted]", "[redacted]-", "[redacted]-x", "https://example.com/7", ADDRESS, &digest]
        {
            assert_eq!(Placeholder::marked(other), None, "{other}");
        }
    }

    #[test]
    fn only_what_tells_things_apart_has_a_number() {
        let placeholders = [Placeholder::Text, Placeholder::Unique, Placeholder::Digest, Placeholder::Address];
        let zeros = "0".repeat(64);
        assert_eq!(
            placeholders.map(|placeholder| placeholder.text(7)),
            ["[redacted]", "[redacted]-7", zeros.as_str(), "https://redacted.invalid/"]
        );
        assert!(Placeholder::is_unique("[redacted]-7"));
        for other in ["[redacted]", "[redacted]-", "[redacted]-x", "redacted-7", "a/[redacted]-7", "[redacted]-7/a"] {
            assert!(!Placeholder::is_unique(other), "{other}");
        }
    }
}
