//! The form of personal access tokens: `wrp_`, 256 random bits in base64url, and a checksum.
//!
//! The prefix lets secret scanners and log filters know one when they see it; the checksum (CRC-32, eight hexadecimal
//! digits) lets them, and us, tell a real one from a slip of the hand without asking the database. Only the SHA-256 of
//! the whole is kept: 256 random bits need no slow hash.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::random::{self, RandomFailed};

/// What every personal access token starts with.
pub const PREFIX: &str = "wrp_";

const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 8;

/// Draws a new token.
pub fn generate() -> Result<String, RandomFailed> {
    Ok(from_secret(&random::bytes::<32>()?))
}

/// The token of a secret that nobody can guess.
pub fn from_secret(secret: &[u8; 32]) -> String {
    let secret = URL_SAFE_NO_PAD.encode(secret);
    format!("{PREFIX}{secret}{}", checksum(&secret))
}

/// The hash that a token is kept and found by; none for what cannot be one.
pub fn hash(token: &str) -> Option<Vec<u8>> {
    let body = token.strip_prefix(PREFIX)?;
    if body.len() != SECRET_LENGTH + CHECKSUM_LENGTH || !body.is_ascii() {
        return None;
    }
    let (secret, sum) = body.split_at(SECRET_LENGTH);
    (checksum(secret) == sum).then(|| digest::digest(&digest::SHA256, token.as_bytes()).as_ref().to_vec())
}

fn checksum(secret: &str) -> String {
    format!("{:08x}", crc32fast::hash(secret.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_a_slip_of_the_hand() {
        let token = generate().unwrap();
        assert_eq!(token.len(), PREFIX.len() + SECRET_LENGTH + CHECKSUM_LENGTH);
        assert!(hash(&token).is_some());
        assert_ne!(hash(&token), hash(&generate().unwrap()));
        for at in 0..token.len() {
            let mut slipped = token.clone().into_bytes();
            slipped[at] = if slipped[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(hash(std::str::from_utf8(&slipped).unwrap()), None, "at {at}");
        }
        assert_eq!(hash(&token[..token.len() - 1]), None);
        assert_eq!(hash(&format!("{token}0")), None);
        assert_eq!(hash("wrp_äöü"), None);
    }
}
