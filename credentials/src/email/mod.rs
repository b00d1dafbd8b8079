//! E-mail addresses: how one is written, and what makes two the same account.
//!
//! The grammar is RFC 5321's `Dot-string` with RFC 6531's letters of any script; quoted local parts, comments and address
//! literals are refused: nobody registers with them, and they are how headers get injected. The address is kept as it
//! was typed, for mail; its normal form (NFKC, then lower case, of the whole address) is the unique key. Mail systems may
//! tell `A@x` from `a@x`, but none in use does, and two accounts that differ in case only serve nobody but an impostor.
//!
//! Compatibility characters can turn into structure (`＠` into `@`, a no-break space into a space), so the rules are
//! applied to both forms.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use workroom_domain::refusal::{self, Code, Refusal};

use crate::codes::MALFORMED_EMAIL;

/// Longest address, in bytes of UTF-8 (RFC 5321 §4.5.3.1.3, less the angle brackets).
pub const MAX_LENGTH: usize = 254;

/// Longest part before the `@`, in bytes (RFC 5321 §4.5.3.1.1).
pub const MAX_LOCAL_LENGTH: usize = 64;

/// Longest label of the domain, in bytes (RFC 1035 §2.3.4).
const MAX_LABEL_LENGTH: usize = 63;

/// Why a text is no e-mail address. Holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmail {
    /// There is nothing.
    #[error("the e-mail address is empty")]
    Empty,
    /// Over [`MAX_LENGTH`], as typed or normalised.
    #[error("the e-mail address is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Not exactly one `@`.
    #[error("an e-mail address has exactly one @")]
    At,
    /// The part before the `@` is empty, too long, or has misplaced dots or forbidden characters.
    #[error("the part of the e-mail address before the @ is not valid")]
    Local,
    /// The part after the `@` is no domain name.
    #[error("the part of the e-mail address after the @ is not a domain name")]
    Domain,
}

impl Refusal for InvalidEmail {
    fn code(&self) -> &'static Code {
        match self {
            Self::Empty => refusal::EMPTY,
            Self::TooLong => refusal::TOO_LONG,
            Self::At | Self::Local | Self::Domain => MALFORMED_EMAIL,
        }
    }
}

/// A well-formed e-mail address. A personal datum: neither `Debug` nor `Display` shows it.
#[derive(Clone)]
pub struct EmailAddress {
    typed: String,
    normalized: String,
    /// Where the `@` of `normalized` is.
    at: usize,
}

impl EmailAddress {
    /// Checks an address. Surrounding spaces are refused like all others; trimming is for forms, not for an API.
    ///
    /// # Errors
    /// [`InvalidEmail`], for the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        check(text)?;
        let normalized = normalize(text);
        let at = check(&normalized)?;
        Ok(Self { typed: text.to_owned(), normalized, at })
    }

    /// The address as it was typed: what is shown to its owner, and where mail goes.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// The unique key: NFKC, lower case.
    pub fn normalized(&self) -> &str {
        &self.normalized
    }

    /// The part before the `@`, normalised.
    pub fn local_part(&self) -> &str {
        &self.normalized[..self.at]
    }

    /// The part after the `@`, normalised.
    pub fn domain(&self) -> &str {
        &self.normalized[self.at + 1..]
    }
}

/// Two addresses are equal when they name the same account.
impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.normalized == other.normalized
    }
}

impl Eq for EmailAddress {}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(..)")
    }
}

/// Lower-cases letter by letter, not by word: `str::to_lowercase` writes a final Σ differently. The second NFKC takes care
/// of letters whose lower case is a sequence.
fn normalize(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// Where the `@` is.
fn check(text: &str) -> Result<usize, InvalidEmail> {
    if text.is_empty() {
        return Err(InvalidEmail::Empty);
    }
    if text.len() > MAX_LENGTH {
        return Err(InvalidEmail::TooLong);
    }
    let at = text.find('@').ok_or(InvalidEmail::At)?;
    let (local, domain) = (&text[..at], &text[at + 1..]);
    if domain.contains('@') {
        return Err(InvalidEmail::At);
    }
    if local.len() > MAX_LOCAL_LENGTH || !local.split('.').all(is_atom) {
        return Err(InvalidEmail::Local);
    }
    if !is_domain(domain) {
        return Err(InvalidEmail::Domain);
    }
    Ok(at)
}

/// RFC 5322's `atext`, and the letters, digits and marks of other scripts: nothing invisible, no space of any width.
fn is_atom(atom: &str) -> bool {
    !atom.is_empty() && atom.chars().all(|c| is_letter_or_digit(c) || "!#$%&'*+-/=?^_`{|}~".contains(c))
}

fn is_letter_or_digit(c: char) -> bool {
    c.is_alphanumeric() || (!c.is_ascii() && is_combining_mark(c))
}

fn is_domain(domain: &str) -> bool {
    if domain.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let Some((_, top)) = domain.rsplit_once('.') else { return false };
    // An address literal without its brackets is no name.
    !top.bytes().all(|b| b.is_ascii_digit()) && domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= MAX_LABEL_LENGTH
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c == '-' || is_letter_or_digit(c))
}

#[cfg(test)]
mod tests;
