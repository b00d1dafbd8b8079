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
