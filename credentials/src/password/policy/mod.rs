//! What a new password must be.
//!
//! The rules are NIST SP 800-63B §5.1.1.2's: length counts, composition does not; what everyone tries first is refused, and
//! what is easy to guess for somebody who knows whose password it is ([`strength`](super::strength)); nothing expires.

use std::{collections::HashSet, sync::LazyLock};

use serde::Deserialize;
use workroom_domain::refusal::{self, Code, Refusal};

use super::{
    Password,
    strength::{OwnWords, Strength, strength},
};
use crate::{codes::WEAK_PASSWORD, email::EmailAddress, username::Username};

/// The rules for a new password; part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordPolicy {
    /// Fewest characters (Unicode scalar values, normalised); 8.
    pub min_length: usize,
    /// Most characters; 128.
    pub max_length: usize,
    /// Whether the passwords everyone tries first are refused; they are.
    pub refuse_common: bool,
    /// The least [strength](Strength::score), 0 to 4; 2, which a million guesses do not find. With 3, no password of eight
    /// characters would do.
    pub min_strength: u8,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_length: 8, max_length: 128, refuse_common: true, min_strength: 2 }
    }
}

/// Whose password it will be.
#[derive(Debug, Clone, Copy, Default)]
pub struct PasswordOwner<'a> {
    /// The account's e-mail address.
    pub email: Option<&'a EmailAddress>,
    /// The account's username.
    pub username: Option<&'a Username>,
    /// What the account's person is called.
    pub full_name: Option<&'a str>,
}

impl PasswordOwner<'_> {
    /// The words that somebody would try who knows whose password it is.
    pub fn words(&self) -> OwnWords {
        let of_email =
            self.email.into_iter().flat_map(|email| [email.normalized(), email.local_part(), email.domain()]);
        OwnWords::of(of_email.chain(self.username.map(Username::as_str)).chain(self.full_name))
    }
}

/// Why a new password is refused; the text is meant for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    /// Under the minimum.
    #[error("the password must have at least {min} characters")]
    TooShort {
        /// The fewest characters that are accepted.
        min: usize,
    },
    /// Over the maximum.
    #[error("the password must have at most {max} characters")]
    TooLong {
        /// The most characters that are accepted.
        max: usize,
    },
    /// The same character over and over.
    #[error("the password must not repeat a single character")]
    OneCharacter,
    /// On the list of common passwords.
    #[error("this password is too common; it would be guessed at once")]
    Common,
    /// The account's e-mail address, or the part before its `@`.
    #[error("the password must not be the e-mail address")]
    SameAsEmail,
    /// The account's username.
    #[error("the password must not be the username")]
    SameAsUsername,
    /// It would be found with few guesses.
    #[error("the password is too easy to guess{because}; add another word or two, uncommon ones")]
    EasyToGuess {
        /// What makes it so, with a colon before it; or nothing.
        because: &'static str,
    },
}

impl Refusal for PasswordRefused {
    fn code(&self) -> &'static Code {
        match self {
            Self::TooLong { .. } => refusal::TOO_LONG,
            Self::TooShort { .. }
            | Self::OneCharacter
            | Self::Common
            | Self::SameAsEmail
            | Self::SameAsUsername
            | Self::EasyToGuess { .. } => WEAK_PASSWORD,
        }
    }
}

impl PasswordPolicy {
    /// Judges a password that `owner` wants to set, by what is quickly seen: [`Self::check_strength`] remains to be done.
    ///
    /// # Errors
    /// [`PasswordRefused`], for the first rule that is broken.
    pub fn check(&self, password: &Password, owner: PasswordOwner<'_>) -> Result<(), PasswordRefused> {
        let text = password.normalized();
        let length = text.chars().count();
        if length < self.min_length {
            return Err(PasswordRefused::TooShort { min: self.min_length });
        }
        if length > self.max_length {
            return Err(PasswordRefused::TooLong { max: self.max_length });
        }
        let folded: String = text.chars().flat_map(char::to_lowercase).collect();
        let mut characters = folded.chars();
        let first = characters.next();
        if characters.all(|c| Some(c) == first) {
            return Err(PasswordRefused::OneCharacter);
        }
        if owner.email.is_some_and(|email| folded == email.normalized() || folded == email.local_part()) {
            return Err(PasswordRefused::SameAsEmail);
        }
        if owner.username.is_some_and(|username| folded == username.as_str()) {
            return Err(PasswordRefused::SameAsUsername);
        }
        if self.refuse_common && COMMON.contains(folded.as_str()) {
            return Err(PasswordRefused::Common);
        }
        Ok(())
    }

    /// Judges how hard to guess a password is, for somebody who knows its owner's words. Takes milliseconds of a core: a matter for
    /// the threads that passwords are hashed on.
    ///
    /// # Errors
    /// [`PasswordRefused::EasyToGuess`].
    pub fn check_strength(&self, password: &Password, words: &OwnWords) -> Result<(), PasswordRefused> {
        if self.min_strength == 0 {
            return Ok(());
        }
        let Strength { score, because } = strength(password.normalized(), words);
        if score < self.min_strength { Err(PasswordRefused::EasyToGuess { because }) } else { Ok(()) }
    }
}

/// One password a line, lower case, NFKC, none under 8 characters (those are refused for their length): the 4,000 most common
/// ones of that length in zxcvbn's list (MIT), and hundreds that have become common since.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

#[cfg(test)]
mod tests;
