//! Bounded text: what people may type into a name, a description, a program.

use serde::{Deserialize, Serialize};

use crate::{
    redaction::PLACEHOLDER,
    refusal::{self, Code, Refusal},
};

crate::codes! {
    NOT_A_WEB_ADDRESS = "not-a-web-address", Field,
        "the text is not an http or https address",
        "give an address that begins with https://";
}

/// Why a piece of text was refused.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TextRefused {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// More characters (Unicode scalar values) than the field takes.
    #[error("must be at most {limit} characters long")]
    TooLong {
        /// The field's limit, in characters.
        limit: usize,
    },
    /// More bytes of UTF-8 than the field takes.
    #[error("must be at most {limit} bytes long")]
    TooManyBytes {
        /// The field's limit, in bytes.
        limit: usize,
    },
    /// No address of something on the web.
    #[error("must be an http or https address")]
    NoAddress,
    /// A control character where only printable text belongs.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl Refusal for TextRefused {
    fn code(&self) -> &'static Code {
        match self {
            Self::Empty => refusal::EMPTY,
            Self::TooLong { .. } | Self::TooManyBytes { .. } => refusal::TOO_LONG,
            Self::NoAddress => NOT_A_WEB_ADDRESS,
            Self::ControlCharacter => refusal::FORBIDDEN_CHARACTER,
        }
    }
}

fn within(text: &str, limit: usize) -> Result<(), TextRefused> {
    // A byte count within the limit settles most texts without counting characters.
    if text.len() > limit && text.chars().count() > limit {
        return Err(TextRefused::TooLong { limit });
    }
    Ok(())
}

/// One line that names a thing: 1 to 200 characters, trimmed, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(min_length = 1, max_length = 200))]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Most characters in a name.
    pub const LIMIT: usize = 200;

    /// Trims and checks.
    ///
    /// # Errors
    /// Empty, too long, or with control characters.
    pub fn parse(text: &str) -> Result<Self, TextRefused> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TextRefused::Empty);
        }
        within(text, Self::LIMIT)?;
        if text.chars().any(|c| c.is_control() || breaks_or_reorders_lines(c)) {
            return Err(TextRefused::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// What stands for a name that was redacted.
    pub(crate) fn redacted() -> Self {
        Self(PLACEHOLDER.to_owned())
    }

    /// The name without white space at its ends.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Line and paragraph separators, and the marks that let a name show in another order than it is stored (UAX #9).
pub(crate) fn breaks_or_reorders_lines(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Free text of several lines: at most 20,000 characters; of the control characters only tab and line breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(max_length = 20_000))]
#[serde(transparent)]
pub struct Prose(String);

impl Prose {
    /// Most characters in a text.
    pub const LIMIT: usize = 20_000;

    /// Checks; the text is kept as given.
    ///
    /// # Errors
    /// Too long, or with control characters.
    pub fn parse(text: &str) -> Result<Self, TextRefused> {
        within(text, Self::LIMIT)?;
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(TextRefused::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// As [`Self::parse`], for a text that must say something.
    ///
    /// # Errors
    /// Also when there is nothing but white space.
    pub fn parse_filled(text: &str) -> Result<Self, TextRefused> {
        if text.trim().is_empty() {
            return Err(TextRefused::Empty);
        }
        Self::parse(text)
    }

    /// What stands for a text that was redacted.
    pub(crate) fn redacted() -> Self {
        Self(PLACEHOLDER.to_owned())
    }

    /// The text as it was given, not trimmed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_counted_in_characters() {
        assert_eq!(Name::parse("  Apollo ").unwrap().as_str(), "Apollo");
        assert_eq!(Name::parse(" \t "), Err(TextRefused::Empty));
        assert!(Name::parse(&"ü".repeat(200)).is_ok());
        assert_eq!(Name::parse(&"ü".repeat(201)), Err(TextRefused::TooLong { limit: 200 }));
        assert_eq!(Name::parse("a\u{0}b"), Err(TextRefused::ControlCharacter));
    }

    #[test]
    fn prose_keeps_its_lines() {
        assert_eq!(Prose::parse("a\n\tb").unwrap().as_str(), "a\n\tb");
        assert_eq!(Prose::parse("a\u{0}b"), Err(TextRefused::ControlCharacter));
        assert_eq!(Prose::parse(&"x".repeat(20_001)), Err(TextRefused::TooLong { limit: 20_000 }));
    }
}
