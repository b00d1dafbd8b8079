//! Secrets that are mailed: 256 random bits, kept as a hash.

use aws_lc_rs::{digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::application::Error;

/// What every mailed token starts with.
pub const PREFIX: &str = "wrm_";

const SECRET_LENGTH: usize = 43;

/// Draws a token.
///
/// # Errors
/// The machine has no randomness to give.
pub fn draw() -> Result<String, Error> {
    let mut secret = [0_u8; 32];
    rand::fill(&mut secret).map_err(Error::failure)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)))
}

/// What a token is kept as; none for what cannot be one.
pub fn hash(token: &str) -> Option<Vec<u8>> {
    let secret = token.strip_prefix(PREFIX)?;
    let is_sound =
        secret.len() == SECRET_LENGTH && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_sound.then(|| digest::digest(&digest::SHA256, token.as_bytes()).as_ref().to_vec())
}
