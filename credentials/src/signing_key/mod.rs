//! The keys that sign access tokens, and the ring of keys whose signatures are accepted.
//!
//! Why Ed25519 (RFC 8032, RFC 8037): small keys, deterministic signatures, one algorithm and so nothing to negotiate.
//! A key is named by its RFC 7638 thumbprint: the name follows from the key, so that a `kid` can never be pointed at
//! another key, and two instances that load the same row agree on it.
//!
//! Rotation needs three kinds of keys at once: the one that signs, the next one (published before it is used, so that
//! whoever caches the JWKS knows it in time), and old ones (until the last token they signed has ended). A [`KeyRing`]
//! is an immutable snapshot of them; [`SharedKeyRing`] is the one place where a new snapshot replaces the old one.

mod jwk;
mod key;
mod ring;

pub use jwk::{Jwks, PublicJwk};
pub use key::{KeyError, SigningKey, VerificationKey, key_id};
pub use ring::{Generation, KeyRing, SharedKeyRing};

/// Length of an Ed25519 public key, in bytes.
pub const PUBLIC_KEY_LENGTH: usize = 32;

/// Tells `jsonwebtoken` to use `aws-lc-rs`; call it first thing in `main`. Calling it again does nothing.
///
/// The library guesses its provider from its crate features and panics on first use when both are enabled, which any
/// other dependency can bring about. The keys of this file call this too, so no order of calls can reach that panic.
pub fn install_crypto_provider() {
    // `Err` only says that a provider was installed before.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}

#[cfg(test)]
mod tests;
