//! The ring of keys whose signatures are accepted.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::digest::{Context, SHA256};

use super::{Jwks, SigningKey, VerificationKey};

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
