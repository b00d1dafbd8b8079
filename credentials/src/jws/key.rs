//! Public keys, each with the one algorithm that it verifies.

use std::{fmt, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey};

/// The signature algorithms that are accepted. All are asymmetric: whoever can verify cannot sign, and a public key can be
/// no secret of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA over P-256 with SHA-256 (RFC 7518 §3.4).
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    Rs256,
}

impl SignatureAlgorithm {
    /// Its `alg`, to be met letter by letter.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    pub(super) fn of_library(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

/// A public key. Cloning shares it.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: SignatureAlgorithm,
    decoding: Arc<DecodingKey>,
}

impl VerifyingKey {
    /// An Ed25519 key, from its raw 32 bytes.
    pub(crate) fn ed25519(public: &[u8; 32]) -> Self {
        // Despite its name this takes the raw key as well as the DER; 32 bytes are always read as raw.
        Self::new(SignatureAlgorithm::EdDsa, DecodingKey::from_ed_der(public))
    }

    pub(crate) fn new(algorithm: SignatureAlgorithm, decoding: DecodingKey) -> Self {
        Self { algorithm, decoding: Arc::new(decoding) }
    }

    /// What it verifies, and nothing else.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
