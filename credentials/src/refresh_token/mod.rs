//! Refresh tokens, and the decision what presenting one does.
//!
//! A token is a function of its session, its generation and a secret: `wrt_` and base64url(session id ‖ generation ‖
//! HMAC-SHA256 over both and the session's salt; RFC 2104). So a session is one row with the generation in use, nothing
//! in the database can be presented as a token, and a client whose reply was lost can be given the very same successor
//! again without anyone having kept it.
//!
//! Rotation and re-use follow RFC 9700 §4.14.2: each token works once. The immediate parent is honoured for ten seconds
//! more, because replies get lost and tabs race; anything older is a copy in other hands, and ends the session.

mod rotation;

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

pub use rotation::{RETRY_WINDOW, Rotation, SessionRow, rotate};

use crate::random::{self, RandomFailed};

/// What every refresh token starts with, so that secret scanners and log filters know one when they see it.
pub const PREFIX: &str = "wrt_";

const ID_LENGTH: usize = 16;
const GENERATION_LENGTH: usize = 4;
const MAC_LENGTH: usize = 32;
const BODY_LENGTH: usize = ID_LENGTH + GENERATION_LENGTH + MAC_LENGTH;
/// Base64url characters of the body, without padding.
const ENCODED_LENGTH: usize = (BODY_LENGTH * 4).div_ceil(3);

/// The text is no refresh token of this service. Says nothing of why: nobody who holds a real one sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token")]
pub struct Malformed;

/// 16 random bytes of one session. Erasing them makes every token of the session underivable, even with the key.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSalt([u8; 16]);

impl SessionSalt {
    /// Draws a new salt.
    pub fn generate() -> Result<Self, RandomFailed> {
        random::bytes().map(Self)
    }

    /// A salt read from its row.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SessionSalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSalt(..)")
    }
}

/// The secret all refresh tokens are derived from: 32 random bytes, the same on every instance.
#[derive(Clone)]
pub struct RefreshTokenKey {
    bytes: [u8; 32],
    hmac: hmac::Key,
}

impl RefreshTokenKey {
    /// Draws a new key.
    pub fn generate() -> Result<Self, RandomFailed> {
        random::bytes().map(Self::from_bytes)
    }

    /// A key read from storage.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes, hmac: hmac::Key::new(hmac::HMAC_SHA256, &bytes) }
    }

    /// The bytes to store. Secret.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The token of that generation of that session; always the same one for the same arguments. Secret.
    pub fn mint(&self, session_id: Uuid, generation: u32, salt: &SessionSalt) -> String {
        let mut body = [0; BODY_LENGTH];
        let (head, mac) = body.split_at_mut(ID_LENGTH + GENERATION_LENGTH);
        head[..ID_LENGTH].copy_from_slice(session_id.as_bytes());
        head[ID_LENGTH..].copy_from_slice(&generation.to_be_bytes());
        mac.copy_from_slice(self.mac(session_id, generation, salt).as_ref());
        let mut token = String::with_capacity(PREFIX.len() + ENCODED_LENGTH);
        token.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(body, &mut token);
        token
    }

    /// Whether this key and salt made the presented token. Takes the same time wherever the two differ.
    pub fn verify(&self, salt: &SessionSalt, presented: &Presented) -> bool {
        let input = mac_input(presented.session_id, presented.generation, salt);
        hmac::verify(&self.hmac, &input, &presented.mac).is_ok()
    }

    fn mac(&self, session_id: Uuid, generation: u32, salt: &SessionSalt) -> hmac::Tag {
        hmac::sign(&self.hmac, &mac_input(session_id, generation, salt))
    }
}

impl fmt::Debug for RefreshTokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshTokenKey(..)")
    }
}

/// Every part has a fixed length, so that no two inputs run together.
fn mac_input(session_id: Uuid, generation: u32, salt: &SessionSalt) -> [u8; ID_LENGTH + GENERATION_LENGTH + 16] {
    let mut input = [0; ID_LENGTH + GENERATION_LENGTH + 16];
    input[..ID_LENGTH].copy_from_slice(session_id.as_bytes());
    input[ID_LENGTH..ID_LENGTH + GENERATION_LENGTH].copy_from_slice(&generation.to_be_bytes());
    input[ID_LENGTH + GENERATION_LENGTH..].copy_from_slice(&salt.0);
    input
}

/// A token as somebody presented it: well-formed, and not yet believed. See [`RefreshTokenKey::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Presented {
    /// The session it claims to belong to.
    pub session_id: Uuid,
    /// The generation it claims to be.
    pub generation: u32,
    mac: [u8; MAC_LENGTH],
}

impl Presented {
    /// Takes a token apart. One token has one spelling: other lengths, padding and stray bits are refused.
    ///
    /// # Errors
    /// [`Malformed`] for everything that [`RefreshTokenKey::mint`] cannot have written.
    pub fn parse(token: &str) -> Result<Self, Malformed> {
        let encoded = token.strip_prefix(PREFIX).ok_or(Malformed)?;
        if encoded.len() != ENCODED_LENGTH {
            return Err(Malformed);
        }
        let mut body = [0; BODY_LENGTH];
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut body).map_err(|_| Malformed)?;
        let (id, rest) = body.split_first_chunk::<ID_LENGTH>().ok_or(Malformed)?;
        let (generation, mac) = rest.split_first_chunk::<GENERATION_LENGTH>().ok_or(Malformed)?;
        if length != BODY_LENGTH {
            return Err(Malformed);
        }
        Ok(Self {
            session_id: Uuid::from_bytes(*id),
            generation: u32::from_be_bytes(*generation),
            mac: mac.try_into().map_err(|_| Malformed)?,
        })
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("session_id", &self.session_id)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
