//! An issuer's published keys (RFC 7517): which of them are accepted, and what for.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;

use crate::jws::{SignatureAlgorithm, VerifyingKey};

/// Keys of a set that are looked at.
const MAX_KEYS: usize = 100;

/// Shorter RSA moduli can be broken (RFC 7518 §3.3), in bytes.
const MIN_RSA: usize = 256;

/// The keys of a set that tokens can be checked with.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    by_name: HashMap<String, VerifyingKey>,
    /// The only key of a set of one: it needs no name.
    only: Option<VerifyingKey>,
}

/// The text is no key set.
#[derive(Debug, thiserror::Error)]
#[error("this is not a JSON Web Key Set")]
pub struct MalformedKeySet(#[source] serde_json::Error);

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Reads a key set. Keys of kinds, uses and sizes that are not accepted are left out: they must not keep the others out.
    ///
    /// # Errors
    /// [`MalformedKeySet`] for what is no JSON object with a list of `keys`.
    pub fn parse(json: &[u8]) -> Result<Self, MalformedKeySet> {
        let set: Set = serde_json::from_slice(json).map_err(MalformedKeySet)?;
        let usable: Vec<_> = set
            .keys
            .into_iter()
            .take(MAX_KEYS)
            .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
            .filter_map(|jwk| Some((jwk.common.key_id.clone(), accepted(&jwk)?)))
            .collect();
        let only = match usable.as_slice() {
            [(_, only)] => Some(only.clone()),
            _ => None,
        };
        Ok(Self { by_name: usable.into_iter().filter_map(|(name, key)| Some((name?, key))).collect(), only })
    }

    /// The key of that name; without a name, the only one.
    pub fn find(&self, name: Option<&str>) -> Option<&VerifyingKey> {
        match name {
            Some(name) => self.by_name.get(name),
            None => self.only.as_ref(),
        }
    }
}

/// A published key as one to check with; none for kinds, uses and sizes that are not accepted.
fn accepted(jwk: &Jwk) -> Option<VerifyingKey> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
            let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
            if significant < MIN_RSA {
                return None;
            }
            SignatureAlgorithm::Rs256
        }
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => SignatureAlgorithm::Es256,
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => SignatureAlgorithm::EdDsa,
        _ => return None,
    };
    Some(VerifyingKey::new(algorithm, DecodingKey::from_jwk(jwk).ok()?))
}
