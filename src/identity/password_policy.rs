//! What a password must be, and the one place where a typed password is normalised.
//!
//! The rules are NIST SP 800-63B §5.1.1.2's: length counts, composition does not; what everyone tries first is refused, and
//! what is easy to guess for somebody who knows whose password it is ([`password_strength`](super::password_strength)); nothing
//! expires. A password typed on another keyboard must still match, so it is put into NFKC before it is measured,
//! compared or hashed. [`Password`] is the only way into the hasher, which makes that impossible to forget.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;
use workroom_domain::refusal::{self, Code, Refusal};

use super::email::EmailAddress;
use super::password_strength::{OwnWords, Strength, strength};
use super::username::Username;
use crate::identity::codes::WEAK_PASSWORD;

/// Longest text that is looked at as a password, in bytes. 128 characters cannot be typed with more.
pub const MAX_TYPED_LENGTH: usize = 4096;

/// A password as somebody typed it, normalised. Says nothing of whether the policy likes it: a login must work with a
/// password from before the policy changed. Cloning shares it; `Debug` does not show it.
#[derive(Clone)]
pub struct Password {
    normalized: Arc<str>,
    typed: Arc<str>,
}

/// The text is over [`MAX_TYPED_LENGTH`] bytes, and so nobody's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password is longer than {MAX_TYPED_LENGTH} bytes")]
pub struct PasswordTooLong;

impl Refusal for PasswordTooLong {
    fn code(&self) -> &'static Code {
        refusal::TOO_LONG
    }
}

impl Password {
    /// Normalises a typed password.
    ///
    /// # Errors
    /// [`PasswordTooLong`] before any work is done.
    pub fn new(typed: &str) -> Result<Self, PasswordTooLong> {
        if typed.len() > MAX_TYPED_LENGTH {
            return Err(PasswordTooLong);
        }
        let typed: Arc<str> = typed.into();
        let normalized = if typed.is_ascii() { Arc::clone(&typed) } else { typed.nfkc().collect::<String>().into() };
        Ok(Self { normalized, typed })
    }

    /// The normal form: what our own hashes are made of.
    pub fn normalized(&self) -> &str {
        &self.normalized
    }

    /// The very text: what the hashes of imported accounts were made of.
    pub fn typed(&self) -> &str {
        &self.typed
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), PasswordRefused> {
        check_for(text, PasswordOwner::default())
    }

    fn check_for(text: &str, owner: PasswordOwner<'_>) -> Result<(), PasswordRefused> {
        PasswordPolicy::default().check(&Password::new(text).unwrap(), owner)
    }

    fn check_strength(text: &str, owner: PasswordOwner<'_>) -> Result<(), PasswordRefused> {
        PasswordPolicy::default().check_strength(&Password::new(text).unwrap(), &owner.words())
    }

    #[test]
    fn a_passphrase_without_capitals_or_digits_is_fine() {
        // And eight characters that mean nothing: the shortest that there may be.
        for text in ["a quiet harbour at dusk", "тихая гавань", "🦀🐙🦑🐡🐠🐟🐬🐳", "zq8#vLp!"]
        {
            assert_eq!(check(text), Ok(()));
            assert_eq!(check_strength(text, PasswordOwner::default()), Ok(()));
        }
    }

    #[test]
    fn length_is_8_to_128_characters() {
        assert_eq!(check(""), Err(PasswordRefused::TooShort { min: 8 }));
        assert_eq!(check("zq8#vLp"), Err(PasswordRefused::TooShort { min: 8 }));
        assert_eq!(check("zq8#vLp!"), Ok(()));
        let long: String = "xy".repeat(64);
        assert_eq!(check(&long), Ok(()));
        assert_eq!(check(&format!("{long}z")), Err(PasswordRefused::TooLong { max: 128 }));
    }

    #[test]
    fn characters_are_counted_not_bytes_and_after_normalisation() {
        assert_eq!(check("äöüßäöü"), Err(PasswordRefused::TooShort { min: 8 }));
        assert_eq!(check("äöüßäöüß"), Ok(()));
        // Seven letters typed as fourteen code points are seven.
        assert_eq!(check(&"a\u{308}o\u{308}".repeat(4)[..21]), Err(PasswordRefused::TooShort { min: 8 }));
        // One ligature of three letters counts as three.
        assert_eq!(check("ﬃzq8#v"), Ok(()));
        assert_eq!(check(&"äö".repeat(64)), Ok(()));
    }

    #[test]
    fn every_way_to_type_a_password_is_the_same_password() {
        let [a, b, c] =
            ["Zoe\u{308}\u{212B}", "Zo\u{eb}\u{c5}", "Ｚo\u{eb}A\u{30a}"].map(|text| Password::new(text).unwrap());
        assert_eq!(a.normalized(), b.normalized());
        assert_eq!(a.normalized(), c.normalized());
        assert_eq!(a.typed(), "Zoe\u{308}\u{212B}");
    }

    #[test]
    fn case_and_spaces_matter() {
        let [a, b, c] = ["secret ", "secret", "Secret"].map(|text| Password::new(text).unwrap());
        assert_ne!(a.normalized(), b.normalized());
        assert_ne!(b.normalized(), c.normalized());
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for text in ["password", "PassWord", "12345678", "QWERTYUIOP", "iloveyou", "Password123!", "ｐａｓｓｗｏｒｄ"]
        {
            assert_eq!(check(text), Err(PasswordRefused::Common), "{text}");
        }
        let policy = PasswordPolicy { refuse_common: false, min_strength: 0, ..PasswordPolicy::default() };
        assert_eq!(policy.check_strength(&Password::new("password").unwrap(), &OwnWords::default()), Ok(()));
        assert_eq!(policy.check(&Password::new("password").unwrap(), PasswordOwner::default()), Ok(()));
    }

    #[test]
    fn one_character_is_refused_however_often() {
        for text in ["aaaaaaaa", "AaAaAaAa", "        ", "11111111111111111111", "ääääääää", "🦀🦀🦀🦀🦀🦀🦀🦀"]
        {
            assert_eq!(check(text), Err(PasswordRefused::OneCharacter), "{text}");
        }
    }

    #[test]
    fn the_owners_own_names_are_refused() {
        let email = EmailAddress::parse("Ada.Lovelace@example.com").unwrap();
        let username = Username::parse("countess").unwrap();
        let owner =
            PasswordOwner { email: Some(&email), username: Some(&username), full_name: Some("Augusta Ada King-Noel") };
        assert_eq!(check_for("ada.lovelace", owner), Err(PasswordRefused::SameAsEmail));
        assert_eq!(check_for("ADA.Lovelace@Example.com", owner), Err(PasswordRefused::SameAsEmail));
        assert_eq!(check_for("Countess", owner), Err(PasswordRefused::SameAsUsername));
        for text in ["Lovelace1", "L0vel@ce", "augustaking", "king-noel", "example.com1", "countess99", "Workroom1"] {
            let refused = check_strength(text, owner);
            assert!(matches!(refused, Err(PasswordRefused::EasyToGuess { .. })), "{text}: {refused:?}");
        }
        assert_eq!(check_for("ada.lovelace loves engines", owner), Ok(()));
        assert_eq!(check_strength("ada.lovelace loves engines", owner), Ok(()));
        assert_eq!(check("ada.lovelace"), Ok(()));
    }

    #[test]
    fn the_list_is_in_the_form_it_is_searched_for() {
        let lines: Vec<_> = include_str!("common_passwords.txt").lines().collect();
        assert!(lines.len() >= 3000);
        assert_eq!(COMMON.len(), lines.len());
        for line in lines {
            assert!(line.chars().count() >= 8, "{line}");
            assert_eq!(line, line.trim().nfkc().collect::<String>().to_lowercase());
        }
    }

    #[test]
    fn a_megabyte_is_refused_before_it_is_normalised() {
        assert_eq!(Password::new(&"a".repeat(1 << 20)).err(), Some(PasswordTooLong));
        assert!(Password::new(&"a".repeat(MAX_TYPED_LENGTH)).is_ok());
    }

    #[test]
    fn the_policy_can_be_configured_in_part() {
        let policy: PasswordPolicy = serde_json::from_str(r#"{"min_length": 12}"#).unwrap();
        assert_eq!(policy, PasswordPolicy { min_length: 12, ..PasswordPolicy::default() });
        assert!(serde_json::from_str::<PasswordPolicy>(r#"{"min_lenght": 12}"#).is_err());
    }

    #[test]
    fn the_messages_say_what_to_do() {
        assert_eq!(check("short").unwrap_err().to_string(), "the password must have at least 8 characters");
        assert_eq!(
            check_strength("P@ssw0rds", PasswordOwner::default()).unwrap_err().to_string(),
            "the password is too easy to guess: it is much like a common password; add another word or two, uncommon ones"
        );
    }

    #[test]
    fn the_password_is_in_no_debug_output() {
        assert_eq!(format!("{:?}", Password::new("hunter22").unwrap()), "Password(..)");
    }
}
