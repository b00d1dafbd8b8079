//! The secrets of tickets: 256 random bits in base64url, kept as a hash.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::random::{self, RandomFailed};

/// Draws a ticket.
pub fn draw() -> Result<String, RandomFailed> {
    Ok(from_secret(&random::bytes::<32>()?))
}

/// The ticket of a secret that nobody can guess.
pub fn from_secret(secret: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(secret)
}

/// What a ticket is kept and found by: its SHA-256.
pub fn hash(ticket: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, ticket.as_bytes()).as_ref().to_vec()
}
