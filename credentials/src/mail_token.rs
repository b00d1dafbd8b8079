//! Secrets that are mailed: 256 random bits, kept as a hash, good once and not for long.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use time::Duration;

use crate::random::{self, RandomFailed};

/// What every mailed token starts with.
pub const PREFIX: &str = "wrm_";

const SECRET_LENGTH: usize = 43;

/// What a token of an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Proving an address; a day.
    EmailVerification,
    /// Setting a new password; an hour.
    PasswordReset,
}

impl Purpose {
    /// The name it is stored under.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailVerification => "email_verification",
            Self::PasswordReset => "password_reset",
        }
    }

    /// How long a token is good.
    pub fn lifetime(self) -> Duration {
        match self {
            Self::EmailVerification => Duration::days(1),
            Self::PasswordReset => Duration::hours(1),
        }
    }
}

/// Draws a token.
pub fn draw() -> Result<String, RandomFailed> {
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random::bytes::<32>()?)))
}

/// What a token is kept as, its SHA-256; none for what cannot be one.
pub fn hash(token: &str) -> Option<Vec<u8>> {
    let secret = token.strip_prefix(PREFIX)?;
    let is_sound =
        secret.len() == SECRET_LENGTH && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_sound.then(|| digest::digest(&digest::SHA256, token.as_bytes()).as_ref().to_vec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_has_a_hash_and_what_cannot_be_a_token_has_none() {
        let token = draw().unwrap();
        assert_eq!(hash(&token).unwrap().len(), 32);
        assert_ne!(hash(&token), hash(&draw().unwrap()));
        for text in ["", "wrm_", &token[4..], &token[..token.len() - 1], &format!("{token}A"), "wrm_é"] {
            assert_eq!(hash(text), None, "{text}");
        }
        assert_eq!(hash(&token.replace("wrm_", "wrp_")), None);
        assert_eq!(hash(&format!("wrm_{}", "+".repeat(43))), None);
    }
}
