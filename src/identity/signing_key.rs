//! The keys that sign access tokens, and the ring of keys whose signatures are accepted.
//!
//! Why Ed25519 (RFC 8032, RFC 8037): small keys, deterministic signatures, one algorithm and so nothing to negotiate.
//! A key is named by its RFC 7638 thumbprint: the name follows from the key, so that a `kid` can never be pointed at
//! another key, and two instances that load the same row agree on it.
//!
//! Rotation needs three kinds of keys at once: the one that signs, the next one (published before it is used, so that
//! whoever caches the JWKS knows it in time), and old ones (until the last token they signed has ended). A [`KeyRing`]
//! is an immutable snapshot of them; [`SharedKeyRing`] is the one place where a new snapshot replaces the old one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::Serialize;
use uuid::Uuid;

/// Length of an Ed25519 public key, in bytes.
pub const PUBLIC_KEY_LENGTH: usize = 32;

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

/// Tells `jsonwebtoken` to use `aws-lc-rs`; call it first thing in `main`. Calling it again does nothing.
///
/// The library guesses its provider from its crate features and panics on first use when both are enabled, which any
/// other dependency can bring about. The keys of this file call this too, so no order of calls can reach that panic.
pub fn install_crypto_provider() {
    // `Err` only says that a provider was installed before.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}

/// A public key as the JWKS publishes it (RFC 7517, RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    /// Key type, always `OKP`.
    pub kty: &'static str,
    /// Curve, always `Ed25519`.
    pub crv: &'static str,
    /// The public key, base64url without padding.
    pub x: String,
    /// The key's name: its RFC 7638 thumbprint.
    pub kid: String,
    /// Always `EdDSA`.
    pub alg: &'static str,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
}

/// The body of `GET /.well-known/jwks.json` (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// Every key whose tokens are accepted now or will be soon.
    pub keys: Vec<PublicJwk>,
}

/// The public half of a signing key: what checking a token needs, and all that is kept of a retired key.
#[derive(Clone)]
pub struct VerificationKey {
    kid: Arc<str>,
    public: [u8; PUBLIC_KEY_LENGTH],
    decoding: Arc<DecodingKey>,
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
        Self {
            kid: thumbprint(&public).into(),
            public,
            // Despite its name this takes the raw key as well as the DER; 32 bytes are always read as raw.
            decoding: Arc::new(DecodingKey::from_ed_der(&public)),
        }
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

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
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

    pub(super) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

/// RFC 7638 §3: SHA-256 over the required members in lexicographic order, without spaces.
fn thumbprint(public: &[u8; PUBLIC_KEY_LENGTH]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

/// Names one set of accepted keys: equal sets have equal generations, on every instance.
pub type Generation = [u8; 32];

/// An immutable snapshot of the key that signs and of all keys that are accepted. Cloning shares it.
#[derive(Clone, Debug)]
pub struct KeyRing(Arc<Ring>);

#[derive(Debug)]
struct Ring {
    current: SigningKey,
    accepted: BTreeMap<Arc<str>, VerificationKey>,
    generation: Generation,
}

impl KeyRing {
    /// A ring that signs with `current` and accepts it and `others` (the next key and the old ones).
    pub fn new(current: SigningKey, others: impl IntoIterator<Item = VerificationKey>) -> Self {
        let accepted: BTreeMap<_, _> = others
            .into_iter()
            .chain([current.verification_key().clone()])
            .map(|key| (Arc::clone(&key.kid), key))
            .collect();
        let mut names = Context::new(&SHA256);
        for kid in accepted.keys() {
            names.update(kid.as_bytes());
        }
        let mut generation = Generation::default();
        generation.copy_from_slice(names.finish().as_ref());
        Self(Arc::new(Ring { current, accepted, generation }))
    }

    /// The key that signs now.
    pub fn current(&self) -> &SigningKey {
        &self.0.current
    }

    /// The accepted key of that name.
    pub fn find(&self, kid: &str) -> Option<&VerificationKey> {
        self.0.accepted.get(kid)
    }

    /// A digest of the names of the accepted keys. Part of the key of every cached verification, so that dropping a key
    /// also drops what it vouched for, while reloading the same keys keeps the cache warm.
    pub fn generation(&self) -> &Generation {
        &self.0.generation
    }

    /// All accepted keys as published, in a stable order.
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: self.0.accepted.values().map(VerificationKey::jwk).collect() }
    }
}

/// The ring in use, shared by everyone who signs or verifies. Cloning shares it; a reader never waits for more than a
/// pointer to be copied.
#[derive(Clone, Debug)]
pub struct SharedKeyRing(Arc<RwLock<KeyRing>>);

impl SharedKeyRing {
    /// Starts with `ring`.
    pub fn new(ring: KeyRing) -> Self {
        Self(Arc::new(RwLock::new(ring)))
    }

    /// The ring in use now.
    pub fn load(&self) -> KeyRing {
        // A snapshot is replaced whole, so that a panic elsewhere cannot have left half of one.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the ring, for signing and verifying at once.
    pub fn store(&self, ring: KeyRing) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// RFC 8037 appendix A.1 to A.3.
    const RFC_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const RFC_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const RFC_KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    fn rfc_key() -> SigningKey {
        let seed = URL_SAFE_NO_PAD.decode(RFC_SEED).unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        SigningKey::from_pkcs8(pair.to_pkcs8v1().unwrap().as_ref()).unwrap()
    }

    #[test]
    fn the_kid_is_the_thumbprint_of_rfc_8037() {
        assert_eq!(rfc_key().kid(), RFC_KID);
    }

    #[test]
    fn the_published_key_has_exactly_the_documented_members() {
        let jwk = serde_json::to_value(rfc_key().verification_key().jwk()).unwrap();
        let expected = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": RFC_X, "kid": RFC_KID, "alg": "EdDSA", "use": "sig",
        });
        assert_eq!(jwk, expected);
    }

    #[test]
    fn a_signature_matches_rfc_8037() {
        install_crypto_provider();
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            jsonwebtoken::crypto::sign(message, rfc_key().encoding(), jsonwebtoken::Algorithm::EdDSA).unwrap();
        assert_eq!(signature, "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    }

    #[test]
    fn a_key_survives_storage() {
        let key = SigningKey::generate().unwrap();
        let read = SigningKey::from_pkcs8(key.to_pkcs8()).unwrap();
        assert_eq!(read.kid(), key.kid());
        assert_eq!(read.verification_key().public_key(), key.verification_key().public_key());
        assert_eq!(read.to_pkcs8(), key.to_pkcs8());
    }

    #[test]
    fn any_damage_to_a_stored_key_is_noticed_or_changes_its_name() {
        let key = SigningKey::generate().unwrap();
        for at in 0..key.to_pkcs8().len() {
            let mut bytes = key.to_pkcs8().to_vec();
            bytes[at] ^= 1;
            if let Ok(read) = SigningKey::from_pkcs8(&bytes) {
                assert_ne!(read.kid(), key.kid(), "byte {at}");
            }
            assert!(SigningKey::from_pkcs8(&key.to_pkcs8()[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(SigningKey::from_pkcs8(b"").unwrap_err(), KeyError::Malformed);
    }

    #[test]
    fn two_generated_keys_differ() {
        assert_ne!(SigningKey::generate().unwrap().kid(), SigningKey::generate().unwrap().kid());
    }

    #[test]
    fn the_private_half_is_in_no_debug_output() {
        let key = SigningKey::generate().unwrap();
        let text = format!("{key:?} {:?}", KeyRing::new(key.clone(), []));
        assert!(text.contains(key.kid()));
        assert!(!text.contains("encoding") && !text.contains("pkcs8"));
    }

    #[test]
    fn a_ring_finds_current_next_and_old_keys_and_no_other() {
        let [current, next, old, stranger] = [(); 4].map(|()| SigningKey::generate().unwrap());
        let others = [next.verification_key().clone(), old.verification_key().clone()];
        let ring = KeyRing::new(current.clone(), others);
        for key in [&current, &next, &old] {
            assert_eq!(ring.find(key.kid()).unwrap().public_key(), key.verification_key().public_key());
        }
        assert!(ring.find(stranger.kid()).is_none());
        assert!(ring.find("").is_none());
        assert_eq!(ring.current().kid(), current.kid());
        assert_eq!(ring.jwks().keys.len(), 3);
    }

    #[test]
    fn a_key_listed_twice_is_published_once() {
        let key = SigningKey::generate().unwrap();
        let ring = KeyRing::new(key.clone(), [key.verification_key().clone()]);
        assert_eq!(ring.jwks().keys.len(), 1);
    }

    #[test]
    fn the_generation_follows_the_set_of_accepted_keys() {
        let [a, b] = [(); 2].map(|()| SigningKey::generate().unwrap());
        let both = KeyRing::new(a.clone(), [b.verification_key().clone()]);
        let turned = KeyRing::new(b.clone(), [a.verification_key().clone()]);
        let alone = KeyRing::new(a, []);
        assert_eq!(both.generation(), turned.generation());
        assert_ne!(both.generation(), alone.generation());
    }

    #[test]
    fn a_stored_ring_is_seen_by_every_holder() {
        let [a, b] = [(); 2].map(|()| SigningKey::generate().unwrap());
        let shared = SharedKeyRing::new(KeyRing::new(a, []));
        let other = shared.clone();
        shared.store(KeyRing::new(b.clone(), []));
        assert_eq!(other.load().current().kid(), b.kid());
    }

    #[test]
    fn the_provider_may_be_installed_again() {
        install_crypto_provider();
        install_crypto_provider();
    }
}
