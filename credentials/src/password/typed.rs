//! The one place where a typed password is normalised.
//!
//! A password typed on another keyboard must still match, so it is put into NFKC before it is measured, compared or hashed.
//! [`Password`] is the only way into the hasher, which makes that impossible to forget.

use std::{fmt, sync::Arc};

use unicode_normalization::UnicodeNormalization;
use workroom_domain::refusal::{self, Code, Refusal};

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
