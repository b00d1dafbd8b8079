//! The public half of a key that signs notes, and its text, the vkey.

use std::{fmt, str::FromStr};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::is_name;
use crate::hash::sha256;

/// The type of signature that stands before the public key: Ed25519 over the note's text.
const ED25519_TYPE: u8 = 0x01;

/// A known key: who reads notes trusts what it has signed.
///
/// Its text is `<name>+<key id>+<base64 of 0x01 and the public key>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Verifier {
    name: String,
    key_id: u32,
    public: [u8; 32],
}

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Names stand between spaces and plus signs.
    #[error("a key's name is not empty and has no spaces, plus signs or control characters")]
    Name,
    /// Not a vkey of Ed25519.
    #[error("not a key of the form <name>+<8 hex digits>+<base64 of an Ed25519 public key>")]
    Form,
    /// The parts are of different keys, or one of them was changed.
    #[error("the key's id does not belong to its name and its public key")]
    KeyId,
    /// The cryptographic library refused.
    #[error("no Ed25519 key can be made of the seed")]
    Seed,
}

impl Verifier {
    pub(super) fn new(name: &str, public: [u8; 32]) -> Result<Self, InvalidKey> {
        if !is_name(name) {
            return Err(InvalidKey::Name);
        }
        let [first, second, third, fourth, ..] = sha256(&[name.as_bytes(), b"\n", &[ED25519_TYPE], &public]).0;
        let key_id = u32::from_be_bytes([first, second, third, fourth]);
        Ok(Self { name: name.to_owned(), key_id, public })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What tells keys of one name apart: the beginning of a hash of the name and the public key. Written as 8 hex
    /// digits.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    pub(super) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_TYPE][..], &self.public].concat());
        write!(f, "{}+{:08x}+{key}", self.name, self.key_id)
    }
}

impl FromStr for Verifier {
    type Err = InvalidKey;

    fn from_str(vkey: &str) -> Result<Self, InvalidKey> {
        // (Base64 has plus signs, too.)
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidKey::Form);
        };
        let key = STANDARD.decode(key).map_err(|_| InvalidKey::Form)?;
        let public =
            key.strip_prefix(&[ED25519_TYPE]).and_then(|public| public.try_into().ok()).ok_or(InvalidKey::Form)?;
        let verifier = Self::new(name, public)?;
        if verifier.to_string() == vkey { Ok(verifier) } else { Err(InvalidKey::KeyId) }
    }
}
