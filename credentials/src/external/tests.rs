#![allow(clippy::unwrap_used)]

use std::time::Duration;

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::*;
use crate::signing_key::install_crypto_provider;

const ISSUER: &str = "https://issuer.example";
const NOW: i64 = 1_800_000_000;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An issuer that signs with Ed25519, and the service that accepts its tokens for an hour.
struct Fixture {
    pair: Ed25519KeyPair,
    keys: KeySet,
    issuer: ExternalIssuer,
}

fn fixture() -> Fixture {
    install_crypto_provider();
    let pair = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(pair.public_key())});
    Fixture { pair, keys: keys(&[jwk]), issuer: issuer() }
}

fn issuer() -> ExternalIssuer {
    let audience = vec!["us".to_owned(), "us too".to_owned()];
    ExternalIssuer { name: ISSUER.to_owned(), audience, max_lifetime: Duration::from_hours(1) }
}

fn keys(jwks: &[Value]) -> KeySet {
    install_crypto_provider();
    KeySet::parse(json!({"keys": jwks}).to_string().as_bytes()).unwrap()
}

fn header() -> Value {
    json!({"alg": "EdDSA", "kid": "ed"})
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "us", "sub": "ada", "iat": NOW, "exp": NOW + 60})
}

/// With these members instead; `null` leaves one out.
fn with(mut object: Value, changes: &Value) -> String {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
            value => object[name] = value.clone(),
        }
    }
    object.to_string()
}

fn check(issuer: &ExternalIssuer, keys: &KeySet, token: &str, now: i64) -> Result<ExternalClaims, ExternalRejected> {
    let parsed = ExternalToken::parse(token)?;
    let key = keys.find(parsed.key_name()).ok_or(ExternalRejected::Invalid("unknown key"))?;
    let verified = issuer.verify(&parsed, key)?;
    issuer.claims_at(verified, OffsetDateTime::from_unix_timestamp(now).unwrap())
}

fn signed(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    format!("{message}.{}", encode(sign(message.as_bytes())))
}

impl Fixture {
    fn check(&self, header: &str, claims: &str) -> Result<ExternalClaims, ExternalRejected> {
        let token = signed(header, claims, |message| self.pair.sign(message).as_ref().to_vec());
        check(&self.issuer, &self.keys, &token, NOW)
    }

    fn with_claims(&self, changes: &Value) -> Result<ExternalClaims, ExternalRejected> {
        self.check(&header().to_string(), &with(claims(), changes))
    }

    fn with_header(&self, changes: &Value) -> Result<ExternalClaims, ExternalRejected> {
        self.check(&with(header(), changes), &claims().to_string())
    }
}

#[test]
fn a_token_says_of_its_bearer_what_the_issuer_says() {
    let said = fixture().with_claims(&json!({"email": "ada@example.com", "email_verified": true, "name": "Ada",
        "preferred_username": "ada", "picture": "https://img.example/a", "roles": {"realm": ["a", "b"]}}));
    let expected = ExternalClaims {
        issuer: ISSUER.to_owned(),
        subject: "ada".to_owned(),
        expires_at: OffsetDateTime::from_unix_timestamp(NOW + 60).unwrap(),
        email: Some("ada@example.com".to_owned()),
        email_verified: true,
        name: Some("Ada".to_owned()),
        username: Some("ada".to_owned()),
        picture: Some("https://img.example/a".to_owned()),
    };
    assert_eq!(said, Ok(expected));
    for unverified in [json!("true"), json!(1), json!(false), json!(null)] {
        assert!(!fixture().with_claims(&json!({"email_verified": unverified})).unwrap().email_verified);
    }
}

#[test]
fn a_repeated_name_is_refused() {
    let f = fixture();
    let (header, claims) = (header().to_string(), claims().to_string());
    let twice = |object: &str, member: &str| object.replacen('{', &format!("{{{member},"), 1);
    for member in [r#""sub":"eve""#, r#""\u0073ub":"eve""#, r#""iss":"them""#, r#""a":{"b":1,"b":1}"#] {
        assert_eq!(f.check(&header, &twice(&claims, member)), Err(ExternalRejected::Invalid("claims")), "{member}");
    }
    for member in [r#""kid":"other""#, r#""alg":"none""#, r#""jwk":{"kty":"OKP","kty":"RSA"}"#] {
        assert_eq!(f.check(&twice(&header, member), &claims), Err(ExternalRejected::Invalid("header")), "{member}");
    }
}

#[test]
fn a_life_that_is_too_long_is_refused() {
    let f = fixture();
    for good in [
        json!({"exp": NOW + 3600}),
        json!({"iat": null, "exp": NOW + 3600}),
        json!({"iat": NOW - 3000, "nbf": NOW, "exp": NOW + 600}),
        json!({"iat": null, "nbf": NOW, "exp": NOW + 3600}),
    ] {
        assert!(f.with_claims(&good).is_ok(), "{good}");
    }
    for bad in [
        json!({"exp": NOW + 3601}),
        json!({"iat": null, "exp": NOW + 3601}),
        json!({"iat": NOW - 864_000, "nbf": NOW, "exp": NOW + 60}),
        json!({"iat": 0}),
        json!({"iat": null, "nbf": NOW - 3600, "exp": NOW + 60}),
        json!({"exp": 253_402_300_799_i64}),
    ] {
        assert_eq!(f.with_claims(&bad), Err(ExternalRejected::Invalid("it holds too long")), "{bad}");
    }
}

#[test]
fn times_are_compared_with_now_and_five_seconds() {
    let f = fixture();
    for good in [json!({"iat": NOW + 5}), json!({"nbf": NOW + 5}), json!({"iat": NOW - 60, "exp": NOW - 4})] {
        assert!(f.with_claims(&good).is_ok(), "{good}");
    }
    for early in [json!({"iat": NOW + 6}), json!({"nbf": NOW + 6}), json!({"iat": NOW - 60, "nbf": NOW + 6})] {
        assert_eq!(f.with_claims(&early), Err(ExternalRejected::Invalid("nbf")), "{early}");
    }
    assert_eq!(f.with_claims(&json!({"iat": NOW - 60, "exp": NOW - 5})), Err(ExternalRejected::Expired));
}

#[test]
fn claims_are_required_and_have_their_form() {
    let f = fixture();
    for (name, values) in [
        ("iss", vec![json!(null), json!("https://other.example"), json!([ISSUER])]),
        ("aud", vec![json!(null), json!("them"), json!(["them"]), json!([]), json!(7), json!({"us": 1})]),
        ("sub", vec![json!(null), json!(""), json!(7), json!("a\u{0}b"), json!("a".repeat(256))]),
        ("exp", vec![json!(null), json!("1800000060"), json!(1_800_000_060.5), json!(-1), json!(253_402_300_800_i64)]),
        ("nbf", vec![json!("1800000000"), json!(1.5), json!(-1)]),
        ("iat", vec![json!("1800000000"), json!(1.5), json!(-1)]),
    ] {
        for value in values {
            assert_eq!(f.with_claims(&json!({name: value})), Err(ExternalRejected::Invalid(name)), "{name}: {value}");
        }
    }
    for good in [json!({"aud": ["them", "us too"]}), json!({"aud": null, "azp": "us"}), json!({"sub": "a".repeat(255)})]
    {
        assert!(f.with_claims(&good).is_ok(), "{good}");
    }
    assert_eq!(f.with_claims(&json!({"aud": "them", "azp": "us"})), Err(ExternalRejected::Invalid("aud")));
}

#[test]
fn headers_that_are_not_accepted() {
    let f = fixture();
    for good in [json!({}), json!({"typ": "JWT"}), json!({"typ": "at+jwt"}), json!({"kid": null}), json!({"jku": "x"})]
    {
        assert!(f.with_header(&good).is_ok(), "{good}");
    }
    for (changes, reason) in [
        (json!({"typ": "logout+jwt"}), "typ"),
        (json!({"typ": ["JWT"]}), "typ"),
        (json!({"typ": 1}), "typ"),
        (json!({"crit": ["exp"]}), "crit"),
        (json!({"crit": []}), "crit"),
        (json!({"alg": null}), "alg"),
        (json!({"alg": "none"}), "alg"),
        (json!({"alg": "HS256"}), "alg"),
        (json!({"alg": "ES256"}), "alg"),
        (json!({"alg": "RS256"}), "alg"),
        (json!({"kid": 7}), "kid"),
        (json!({"kid": "a".repeat(256)}), "kid"),
        (json!({"kid": "other"}), "unknown key"),
    ] {
        assert_eq!(f.with_header(&changes), Err(ExternalRejected::Invalid(reason)), "{changes}");
    }
}

#[test]
fn each_key_verifies_one_algorithm() {
    let ed = Ed25519KeyPair::generate().unwrap();
    let ed_jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(ed.public_key())});
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let (n, e) = (rsa.public_key().modulus(), rsa.public_key().exponent());
    let rsa_jwk = json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": encode(n.big_endian_without_leading_zero()),
        "e": encode(e.big_endian_without_leading_zero())});
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let point = ec.public_key().as_ref().to_vec();
    let curve_jwk =
        json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(&point[1..33]), "y": encode(&point[33..])});
    let keys = keys(&[ed_jwk, rsa_jwk, curve_jwk]);
    let by_rsa = |padding: &'static dyn aws_lc_rs::signature::RsaEncoding, message: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    let sign = |by: &str, message: &[u8]| match by {
        "EdDSA" => ed.sign(message).as_ref().to_vec(),
        "ES256" => ec.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
        "RS256" => by_rsa(&RSA_PKCS1_SHA256, message),
        "RS512" => by_rsa(&RSA_PKCS1_SHA512, message),
        "PS256" => by_rsa(&RSA_PSS_SHA256, message),
        "HS256" => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, ed.public_key().as_ref()), message).as_ref().to_vec(),
        _ => Vec::new(),
    };
    let own = [("ed", "EdDSA"), ("ec", "ES256"), ("rsa", "RS256")];
    for kid in ["ed", "ec", "rsa"] {
        for alg in ["EdDSA", "ES256", "RS256", "RS512", "PS256", "HS256", "none"] {
            for by in ["EdDSA", "ES256", "RS256", "RS512", "PS256", "HS256", "nobody"] {
                let header = json!({"alg": alg, "kid": kid}).to_string();
                let token = signed(&header, &claims().to_string(), |message| sign(by, message));
                let is_sound = own.contains(&(kid, alg)) && alg == by;
                assert_eq!(check(&issuer(), &keys, &token, NOW).is_ok(), is_sound, "{kid} {alg} {by}");
            }
        }
    }
}

#[test]
fn keys_that_are_not_accepted_are_left_out() {
    let Fixture { pair, .. } = fixture();
    let x = encode(pair.public_key());
    let weak = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let modulus = weak.public_key().modulus().big_endian_without_leading_zero().to_vec();
    let padded = [vec![0; 128], modulus[..128].to_vec()].concat();
    let others = [
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "for encryption", "use": "enc", "x": x}),
        json!({"kty": "oct", "kid": "symmetric", "k": x}),
        json!({"kty": "EC", "crv": "P-384", "kid": "another curve", "x": x, "y": x}),
        json!({"kty": "RSA", "kid": "short", "n": encode(&modulus[..128]), "e": "AQAB"}),
        json!({"kty": "RSA", "kid": "short behind zeros", "n": encode(padded), "e": "AQAB"}),
        json!({"kty": "new"}),
        json!(7),
    ];
    let good = json!({"kty": "OKP", "crv": "Ed25519", "kid": "good", "x": x});
    let set = keys(&[&others[..], std::slice::from_ref(&good)].concat());
    assert!(set.find(Some("good")).is_some() && set.find(None).is_some());
    for name in ["for encryption", "symmetric", "another curve", "short", "short behind zeros", ""] {
        assert!(set.find(Some(name)).is_none(), "{name}");
    }
    let two = keys(&[good, json!({"kty": "OKP", "crv": "Ed25519", "x": x})]);
    assert!(two.find(None).is_none(), "of several keys, none goes without a name");
    for text in ["", "[]", "{}", r#"{"keys":{}}"#] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
}
