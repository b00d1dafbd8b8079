//! Headers that are accepted, and those that are not.

use super::*;

#[test]
fn every_spelling_of_the_type_is_accepted() {
    let f = fixture();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        f.verify(&f.with_header("typ", json!(typ))).unwrap();
    }
}

#[test]
fn other_types_are_refused() {
    let f = fixture();
    for typ in ["JWT", "", "jwt", "rt+jwt", "at+jwt ", "text/at+jwt", "dpop+jwt", "logout+jwt"] {
        assert_eq!(f.refusal(&f.with_header("typ", json!(typ))), InvalidToken::Type, "{typ}");
    }
    assert_eq!(f.refusal(&f.without_header("typ")), InvalidToken::Type);
    assert_eq!(f.refusal(&f.with_header("typ", json!(["at+jwt"]))), InvalidToken::Type);
}

#[test]
fn other_algorithms_are_refused() {
    let f = fixture();
    for alg in ["none", "None", "NONE", "", "HS256", "HS512", "RS256", "ES256", "PS256", "eddsa", "Ed25519"] {
        assert_eq!(f.refusal(&f.with_header("alg", json!(alg))), InvalidToken::Algorithm, "{alg}");
    }
    assert_eq!(f.refusal(&f.without_header("alg")), InvalidToken::Algorithm);
    assert_eq!(f.refusal(&f.with_header("alg", json!(null))), InvalidToken::Algorithm);
    assert_eq!(f.refusal(&f.with_header("alg", json!(["EdDSA"]))), InvalidToken::Algorithm);
}

#[test]
fn alg_none_without_a_signature_is_refused() {
    let f = fixture();
    let header = json!({"alg": "none", "typ": "at+jwt", "kid": f.key.kid()}).to_string();
    let message = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(f.claims().to_string()));
    assert_eq!(f.refusal(&message), InvalidToken::Algorithm);
    let token = f.issue();
    let unsigned = &token[..=token.rfind('.').unwrap()];
    assert_eq!(f.refusal(unsigned), InvalidToken::Signature);
}

#[test]
fn hs256_with_the_public_key_as_secret_is_refused() {
    let f = fixture();
    let public = f.key.verification_key().public_key();
    let jwk = serde_json::to_vec(&f.key.verification_key().jwk()).unwrap();
    for secret in [&public[..], URL_SAFE_NO_PAD.encode(public).as_bytes(), &jwk] {
        for alg in ["HS256", "EdDSA"] {
            let header = json!({"alg": alg, "typ": "at+jwt", "kid": f.key.kid()}).to_string();
            let message =
                format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(f.claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
            let reason = f.refusal(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag)));
            assert!(matches!(reason, InvalidToken::Algorithm | InvalidToken::Signature));
        }
    }
}

#[test]
fn a_key_brought_along_is_refused() {
    let f = fixture();
    let stranger = fixture();
    let jwk = serde_json::to_value(stranger.key.verification_key().jwk()).unwrap();
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        for signer in [&f, &stranger] {
            let reason = f.refusal(&signer.with_header(name, value.clone()));
            assert_eq!(reason, InvalidToken::HeaderParameter(name));
        }
    }
}

#[test]
fn parameters_that_change_how_a_token_is_read_are_refused() {
    let f = fixture();
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("crit", json!(["https://example.com/unknown"])),
        ("zip", json!("DEF")),
        ("b64", json!(false)),
    ] {
        assert_eq!(f.refusal(&f.with_header(name, value)), InvalidToken::HeaderParameter(name));
    }
    let unknown = f.with_header("surprise", json!(1));
    assert_eq!(f.refusal(&unknown), InvalidToken::HeaderParameter("(unknown)"));
}

#[test]
fn an_unknown_or_hostile_kid_is_refused() {
    let f = fixture();
    let stranger = SigningKey::generate().unwrap();
    for kid in ["", "../../dev/null", "' OR 1=1 --", "\0", stranger.kid(), &f.key.kid().to_lowercase()] {
        assert_eq!(f.refusal(&f.with_header("kid", json!(kid))), InvalidToken::UnknownKey, "{kid}");
    }
    assert_eq!(f.refusal(&f.without_header("kid")), InvalidToken::UnknownKey);
    assert_eq!(f.refusal(&f.with_header("kid", json!(1))), InvalidToken::UnknownKey);
}

#[test]
fn another_key_under_our_kid_is_refused() {
    let f = fixture();
    let mut stranger = fixture();
    let token = stranger.sign_text(&f.header().to_string(), &f.claims().to_string());
    assert_eq!(f.refusal(&token), InvalidToken::Signature);
    stranger.account = f.account;
    assert_eq!(f.refusal(&stranger.issue()), InvalidToken::UnknownKey);
}
