//! One key: both halves, and the public one alone.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use uuid::Uuid;

use super::{PUBLIC_KEY_LENGTH, PublicJwk, install_crypto_provider, jwk::thumbprint};
use crate::jws::VerifyingKey;

/// Why a key could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The system's random generator failed.
    #[error("no signing key could be generated")]
    Generation,
    /// The stored bytes are no Ed25519 private key in PKCS#8, or their two halves do not belong together.
    #[error("the stored signing key is not an Ed25519 key in PKCS#8")]
    Malformed,
}

/// The public half of a signing key: what checking a token needs, and all that is kept of a retired key.
#[derive(Clone)]
pub struct VerificationKey {
    pub(super) kid: Arc<str>,
    public: [u8; PUBLIC_KEY_LENGTH],
    verifying: VerifyingKey,
}

/// A key's name as an id, for lists of what has ended: the first half of its SHA-256.
pub fn key_id(kid: &str) -> Uuid {
    let digest = digest(&SHA256, kid.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_ref()[..16]);
    Uuid::from_bytes(id)
}

impl VerificationKey {
    /// Wraps the raw 32 bytes of a public key.
    pub fn from_public_key(public: [u8; PUBLIC_KEY_LENGTH]) -> Self {
        install_crypto_provider();
        Self { kid: thumbprint(&public).into(), public, verifying: VerifyingKey::ed25519(&public) }
    }

    /// The key's name in a token's header: its RFC 7638 thumbprint, base64url, 43 characters.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The raw public key.
    pub fn public_key(&self) -> &[u8; PUBLIC_KEY_LENGTH] {
        &self.public
    }

    /// The key as published.
    pub fn jwk(&self) -> PublicJwk {
        PublicJwk {
            kty: "OKP",
            crv: "Ed25519",
            x: URL_SAFE_NO_PAD.encode(self.public),
            kid: self.kid.to_string(),
            alg: "EdDSA",
            usage: "sig",
        }
    }

    pub(crate) fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// An Ed25519 key pair that signs access tokens. Its private half never appears in `Debug`.
#[derive(Clone)]
pub struct SigningKey {
    encoding: Arc<EncodingKey>,
    verification: VerificationKey,
}

impl SigningKey {
    /// Makes a new key from the system's random generator.
    ///
    /// # Errors
    /// [`KeyError::Generation`] when the generator fails.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Generation)?;
        let pkcs8 = pair.to_pkcs8().map_err(|_| KeyError::Generation)?;
        Self::from_pkcs8(pkcs8.as_ref())
    }

    /// Reads a key stored by [`Self::to_pkcs8`] (v2), or made elsewhere (v1, as `openssl genpkey` writes it).
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the bytes are no such key, or the public key in them is another key's.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        install_crypto_provider();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::Malformed)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Malformed)?;
        Ok(Self {
            encoding: Arc::new(EncodingKey::from_ed_der(pkcs8)),
            verification: VerificationKey::from_public_key(public),
        })
    }

    /// The private key for storage. Secret.
    ///
    /// A generated key is PKCS#8 v2 (RFC 8410), which carries the public key too: damage to the row is noticed when
    /// it is read, not when every token it signs is refused.
    pub fn to_pkcs8(&self) -> &[u8] {
        self.encoding.as_bytes()
    }

    /// The key's name; see [`VerificationKey::kid`].
    pub fn kid(&self) -> &str {
        self.verification.kid()
    }

    /// The public half.
    pub fn verification_key(&self) -> &VerificationKey {
        &self.verification
    }

    pub(crate) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}
