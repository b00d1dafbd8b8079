//! What people call themselves: the handle others mention them by, and the name on their profile.
//!
//! A username is ASCII so that no two look alike (Unicode TR 39), and is its own unique key. A full name is free text of
//! any script; only what could break out of the line it is shown on is refused: control characters, line separators and
//! the bidirectional overrides and isolates of "Trojan Source" (CVE-2021-42574). Marks that right-to-left scripts and
//! emoji need (U+200E, U+200F, U+061C, joiners) are welcome.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use workroom_domain::refusal::{self, Code, Refusal};

use crate::codes::MALFORMED_USERNAME;

/// Shortest username, in characters.
pub const MIN_USERNAME_LENGTH: usize = 3;

/// Longest username, in characters.
pub const MAX_USERNAME_LENGTH: usize = 32;

/// Longest full name, in Unicode scalar values.
pub const MAX_FULL_NAME_LENGTH: usize = 200;

/// Why a text is no username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsername {
    /// Under 3 or over 32 characters.
    #[error("a username has {MIN_USERNAME_LENGTH} to {MAX_USERNAME_LENGTH} characters")]
    Length,
    /// The first character is no letter or digit.
    #[error("a username starts with a letter or a digit")]
    Start,
    /// Something other than `a`–`z`, `0`–`9`, `_`, `.` and `-`.
    #[error("a username consists of the letters a to z, digits, underscores, dots and hyphens")]
    Character,
}

impl Refusal for InvalidUsername {
    fn code(&self) -> &'static Code {
        MALFORMED_USERNAME
    }
}

/// A username in lower case, which is both what is shown and the unique key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// Checks a username; capital letters become small ones.
    ///
    /// # Errors
    /// [`InvalidUsername`], for the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidUsername> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        // The length in bytes bounds the work; a text of allowed characters has as many bytes as characters.
        if text.len() > MAX_USERNAME_LENGTH * 4 {
            return Err(InvalidUsername::Length);
        }
        if !text.chars().all(is_allowed) {
            return Err(InvalidUsername::Character);
        }
        if !(MIN_USERNAME_LENGTH..=MAX_USERNAME_LENGTH).contains(&text.len()) {
            return Err(InvalidUsername::Length);
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(InvalidUsername::Start);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The username, with small letters only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A personal datum: not shown.
impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Username(..)")
    }
}

/// Why a text is no full name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFullName {
    /// There is nothing to see.
    #[error("the name is empty")]
    Empty,
    /// Over 200 characters.
    #[error("a name has at most {MAX_FULL_NAME_LENGTH} characters")]
    TooLong,
    /// A control character, a line separator, or a bidirectional override or isolate.
    #[error("a name has no control characters, line breaks or text direction overrides")]
    Character,
}

impl Refusal for InvalidFullName {
    fn code(&self) -> &'static Code {
        match self {
            Self::Empty => refusal::EMPTY,
            Self::TooLong => refusal::TOO_LONG,
            Self::Character => refusal::FORBIDDEN_CHARACTER,
        }
    }
}

/// A person's name as they write it: trimmed, NFC.
#[derive(Clone, PartialEq, Eq)]
pub struct FullName(String);

impl FullName {
    /// Trims and checks a name.
    ///
    /// # Errors
    /// [`InvalidFullName`], for the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidFullName> {
        let trimmed = text.trim();
        // 200 characters are at most 800 bytes, and taken apart at most four times that: more is not worth composing.
        if trimmed.len() > MAX_FULL_NAME_LENGTH * 4 * 4 {
            return Err(InvalidFullName::TooLong);
        }
        if trimmed.chars().any(breaks_out) {
            return Err(InvalidFullName::Character);
        }
        if trimmed.chars().all(is_invisible) {
            return Err(InvalidFullName::Empty);
        }
        let name: String = trimmed.nfc().collect();
        if name.chars().count() > MAX_FULL_NAME_LENGTH {
            return Err(InvalidFullName::TooLong);
        }
        Ok(Self(name))
    }

    /// The name, trimmed and in Unicode normal form C.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A personal datum: not shown.
impl fmt::Debug for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FullName(..)")
    }
}

fn breaks_out(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Spaces and the common default-ignorable characters (Unicode §5.21): a name of only these looks empty.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests;
