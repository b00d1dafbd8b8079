//! The private half of a key that signs notes.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use super::{InvalidKey, InvalidNote, Signature, Verifier, has_lines_only};

/// A key that signs notes. `Debug` shows its public half only.
pub struct Signer {
    pair: Ed25519KeyPair,
    verifier: Verifier,
}

impl Signer {
    /// The key of this name and this secret, 32 random bytes (RFC 8032).
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidKey::Seed)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| InvalidKey::Seed)?;
        Ok(Self { pair, verifier: Verifier::new(name, public)? })
    }

    /// What others check this key's signatures with.
    pub fn verifier(&self) -> Verifier {
        self.verifier.clone()
    }

    /// The whole note: the text, and its one signature. The text's last line must be ended.
    pub fn sign(&self, text: &str) -> Result<String, InvalidNote> {
        if !text.ends_with('\n') || !has_lines_only(text) {
            return Err(InvalidNote::Malformed);
        }
        let signature = Signature {
            name: self.verifier.name(),
            key_id: self.verifier.key_id(),
            bytes: self.pair.try_sign(text.as_bytes()).map_err(|_| InvalidNote::Signing)?.as_ref().to_vec(),
        };
        Ok(format!("{text}\n{}", signature.line()))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
