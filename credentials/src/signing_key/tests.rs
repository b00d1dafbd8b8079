#![allow(clippy::unwrap_used)]

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

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
    let signature = jsonwebtoken::crypto::sign(message, rfc_key().encoding(), jsonwebtoken::Algorithm::EdDSA).unwrap();
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
