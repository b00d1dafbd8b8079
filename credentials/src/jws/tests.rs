#![allow(clippy::unwrap_used)]

use aws_lc_rs::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::signing_key::install_crypto_provider;

const LIMITS: Limits = Limits { bytes: 2048, members: 8, depth: 4 };
const HEADER: &str = r#"{"alg":"EdDSA"}"#;
const CLAIMS: &str = r#"{"sub":"ada"}"#;

fn pair() -> Ed25519KeyPair {
    install_crypto_provider();
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn key() -> VerifyingKey {
    VerifyingKey::ed25519(pair().public_key().as_ref().try_into().unwrap())
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs whatever stands before the last dot.
fn sign(message: &str) -> String {
    format!("{message}.{}", encode(pair().sign(message.as_bytes())))
}

fn token(header: &str, claims: &str) -> String {
    sign(&format!("{}.{}", encode(header), encode(claims)))
}

fn read(token: &str) -> Result<Object, InvalidJws> {
    Jws::parse(token, LIMITS)?.verify(&key())
}

#[test]
fn what_is_signed_is_read() {
    let claims = json!({"sub": "ada", "n": -1, "f": 0.5, "big": u64::MAX, "t": true, "nothing": null, "list": [[{}]]});
    let object = read(&token(HEADER, &claims.to_string())).unwrap();
    assert_eq!(object.names().count(), 7);
    for name in object.names() {
        assert_eq!(object.get(name), claims.get(name), "{name}");
    }
    assert_eq!((object.text("sub"), object.text("n"), object.text("other")), (Some("ada"), None, None));
    assert!(object.contains("nothing") && !object.contains("other"));
}

#[test]
fn hostile_headers_are_refused() {
    let deep = format!(r#"{{"alg":"EdDSA","a":{}1{}}}"#, "[".repeat(4), "]".repeat(4));
    let wide = format!(r#"{{"alg":"EdDSA",{}}}"#, (0..8).map(|n| format!(r#""{n}":0"#)).collect::<Vec<_>>().join(","));
    let bomb = "[".repeat(1000);
    for (header, expected) in [
        ("", InvalidJws::Header),
        ("null", InvalidJws::Header),
        ("[]", InvalidJws::Header),
        (r#""EdDSA""#, InvalidJws::Header),
        (r#"{"alg":"EdDSA""#, InvalidJws::Header),
        (r#"{"alg":"EdDSA"}{}"#, InvalidJws::Header),
        (r#"{"alg":"EdDSA"} x"#, InvalidJws::Header),
        ("\u{feff}{\"alg\":\"EdDSA\"}", InvalidJws::Header),
        (r#"{"alg":"EdDSA","alg":"EdDSA"}"#, InvalidJws::Header),
        (r#"{"alg":"EdDSA","alg":"none"}"#, InvalidJws::Header),
        (r#"{"alg":"EdDSA","\u0061lg":"none"}"#, InvalidJws::Header),
        (r#"{"alg":"EdDSA","jwk":{"kty":"OKP","kty":"RSA"}}"#, InvalidJws::Header),
        (r#"{"alg":"EdDSA","x5c":[{"a":[{"b":1,"b":1}]}]}"#, InvalidJws::Header),
        (&deep, InvalidJws::Header),
        (&wide, InvalidJws::Header),
        (&bomb, InvalidJws::Header),
        (r#"{"alg":"EdDSA","crit":["exp"],"exp":1}"#, InvalidJws::Critical),
        (r#"{"alg":"EdDSA","crit":[]}"#, InvalidJws::Critical),
        (r#"{"alg":"EdDSA","crit":null}"#, InvalidJws::Critical),
        (r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#, InvalidJws::Critical),
        ("{}", InvalidJws::Algorithm),
        (r#"{"alg":null}"#, InvalidJws::Algorithm),
        (r#"{"alg":["EdDSA"]}"#, InvalidJws::Algorithm),
        (r#"{"alg":"none"}"#, InvalidJws::Algorithm),
        (r#"{"alg":"eddsa"}"#, InvalidJws::Algorithm),
        (r#"{"alg":"EdDSA "}"#, InvalidJws::Algorithm),
        (r#"{"alg":"Ed25519"}"#, InvalidJws::Algorithm),
        (r#"{"alg":"ES256"}"#, InvalidJws::Algorithm),
        (r#"{"alg":"RS256"}"#, InvalidJws::Algorithm),
        (r#"{"alg":"HS256"}"#, InvalidJws::Algorithm),
    ] {
        assert_eq!(read(&token(header, CLAIMS)), Err(expected), "{header}");
    }
}

#[test]
fn hostile_claims_are_refused() {
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(4), "]".repeat(4));
    let wide = format!("{{{}}}", (0..9).map(|n| format!(r#""{n}":0"#)).collect::<Vec<_>>().join(","));
    let bomb = r#"{"a":"#.repeat(200);
    for claims in [
        "",
        "null",
        "[]",
        "1",
        "{",
        "{}{}",
        r#"{"sub":"ada","sub":"eve"}"#,
        r#"{"sub":"ada","\u0073ub":"eve"}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":[{"b":1,"b":1}]}"#,
        r#"{"exp":1e400}"#,
        r#"{"exp":NaN}"#,
        r#"{"exp":01}"#,
        r#"{"a":"\ud800"}"#,
        "{\"a\":\"\u{0}\"}",
        "{'a':1}",
        r#"{"a":1,}"#,
        r#"{/**/"a":1}"#,
        &deep,
        &wide,
        &bomb,
    ] {
        assert_eq!(read(&token(HEADER, claims)), Err(InvalidJws::Claims), "{claims}");
    }
    let not_utf8 = sign(&format!("{}.{}", encode(HEADER), encode(b"{\"a\":\"\xff\"}")));
    assert_eq!(read(&not_utf8), Err(InvalidJws::Claims));
}

#[test]
fn the_limits_are_what_may_still_be() {
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(3), "]".repeat(3));
    let wide = format!("{{{}}}", (0..8).map(|n| format!(r#""{n}":0"#)).collect::<Vec<_>>().join(","));
    for claims in [&deep, &wide] {
        assert!(read(&token(HEADER, claims)).is_ok(), "{claims}");
    }
    let mut long = token(HEADER, CLAIMS);
    long.push_str(&"A".repeat(LIMITS.bytes - long.len()));
    assert_eq!(read(&long), Err(InvalidJws::Signature));
    long.push('A');
    assert_eq!(read(&long), Err(InvalidJws::TooLong));
    assert_eq!(read(&".".repeat(1 << 20)), Err(InvalidJws::TooLong));
}

#[test]
fn a_token_has_three_parts() {
    let sound = token(HEADER, CLAIMS);
    for text in ["", ".", "a", "a.b", "...", "....", "a.b.c.d.e", &format!("{sound}."), &format!(".{sound}")] {
        assert_eq!(read(text), Err(InvalidJws::Parts), "{text}");
    }
    // RFC 7515 appendix F: claims that are sent apart from the token.
    let detached = format!("{}..{}", encode(HEADER), encode(pair().sign(b"x")));
    assert_eq!(read(&detached), Err(InvalidJws::Signature));
}

#[test]
fn one_token_has_one_spelling() {
    let sound = token(HEADER, r#"{"sub":"adaa"}"#);
    let [header, claims, signature] = sound.split('.').collect::<Vec<_>>()[..] else { panic!() };
    // The last character of an encoding that does not fill it carries bits that mean nothing: all zero in ours.
    let with_odd_bits = |part: &str| {
        let (rest, last) = part.split_at(part.len() - 1);
        format!("{rest}{}", char::from(last.as_bytes()[0] + 1))
    };
    for text in [
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!("{header}.{claims}.{signature}=="),
        format!("{header}.{claims}.{}", with_odd_bits(signature)),
        format!("{header}.{claims}.{signature}A"),
        format!("{header}.{claims}.{}", &signature[..85]),
        format!("{header}.{claims}."),
        format!(" {sound}"),
        format!("{sound} "),
        format!("{sound}\n"),
        format!("{header} .{claims}.{signature}"),
        format!("{header}.\n{claims}.{signature}"),
    ] {
        assert!(read(&text).is_err(), "{text:?}");
    }
    // Signed as they stand, and spelled in another way all the same.
    let with_padding = |text: &str| URL_SAFE.encode(text);
    for message in [
        format!("{}.{claims}", with_padding(r#"{"alg":"EdDSA","a":10}"#)),
        format!("{header}.{}", with_padding(CLAIMS)),
        format!("{header}.{}", with_odd_bits(&encode(CLAIMS))),
        format!("{header}.{}", STANDARD_NO_PAD.encode(r#"{"a":"~~~???"}"#)),
        format!("{header}.{claims} "),
    ] {
        assert!(read(&sign(&message)).is_err(), "{message:?}");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let public = pair().public_key().as_ref().to_vec();
    let tag = |header: &str| {
        let message = format!("{}.{}", encode(header), encode(CLAIMS));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), message.as_bytes());
        format!("{message}.{}", encode(tag))
    };
    assert_eq!(read(&tag(r#"{"alg":"HS256"}"#)), Err(InvalidJws::Algorithm));
    assert_eq!(read(&tag(HEADER)), Err(InvalidJws::Signature));
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(CLAIMS));
    assert_eq!(read(&unsigned), Err(InvalidJws::Algorithm));
}

#[test]
fn nothing_that_the_sender_wrote_is_in_errors_and_debug_output() {
    let error = read(&token(r#"{"alg":"a secret"}"#, CLAIMS)).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
    let sound = token(r#"{"alg":"EdDSA","kid":"a secret"}"#, r#"{"sub":"a secret"}"#);
    let jws = Jws::parse(&sound, LIMITS).unwrap();
    let text = format!("{jws:?} {:?} {:?}", jws.header(), jws.unverified_claims());
    assert!(!text.contains("secret") && !text.contains(&sound[..10]), "{text}");
}

/// JSON of any shape, within the limits or beyond.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", parts in prop::collection::vec("[A-Za-z0-9_=-]{0,40}", 0..5)) {
        let _ = read(&text);
        prop_assert!(read(&parts.join(".")).is_err());
    }

    #[test]
    fn claims_within_the_limits_are_read_as_they_are(claims in any_json()) {
        let text = claims.to_string();
        let read = read(&token(HEADER, &text));
        // As the library reads it, which rounds some fractions.
        match serde_json::from_str(&text).unwrap() {
            Value::Object(members) if depth(&claims) <= LIMITS.depth => {
                let object = read.unwrap();
                prop_assert_eq!(object.names().count(), members.len());
                for (name, value) in &members {
                    prop_assert_eq!(object.get(name), Some(value));
                }
            }
            _ => prop_assert_eq!(read, Err(InvalidJws::Claims)),
        }
    }

    #[test]
    fn a_name_that_is_repeated_is_refused_wherever_it_stands(name in "[a-z]{1,8}", around in 0..3_usize) {
        let twice = format!(r#"{{"{name}":1,"other":2,"{name}":1}}"#);
        let claims = (0..around).fold(twice, |inner, _| format!(r#"{{"a":{inner}}}"#));
        prop_assert_eq!(read(&token(HEADER, &claims)), Err(InvalidJws::Claims));
        prop_assert_eq!(read(&token(&claims, CLAIMS)), Err(InvalidJws::Header));
    }

    #[test]
    fn any_change_is_refused(at in any::<prop::sample::Index>(), bit in 0..7_u32) {
        let sound = token(HEADER, CLAIMS);
        let mut bytes = sound.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(read(&sound).is_ok() && read(&changed).is_err());
    }
}
