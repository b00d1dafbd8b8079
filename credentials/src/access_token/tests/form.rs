//! Texts that are no token, or not quite.

use super::*;

#[test]
fn repeated_keys_are_refused() {
    let f = fixture();
    let (header, claims) = (f.header().to_string(), f.claims().to_string());
    let twice = |object: &str, member: &str| object.replacen('{', &format!("{{{member},"), 1);
    for member in [r#""sub":"x""#, r#""\u0073ub":"x""#, r#""exp":1"#, r#""a":1,"a":1"#] {
        assert_eq!(f.refusal(&f.sign_text(&header, &twice(&claims, member))), InvalidToken::Claims);
    }
    for member in [r#""alg":"none""#, r#""\u0061lg":"none""#, r#""kid":"x""#] {
        assert_eq!(f.refusal(&f.sign_text(&twice(&header, member), &claims)), InvalidToken::Header);
    }
}

#[test]
fn what_is_no_object_is_refused() {
    let f = fixture();
    let (header, claims) = (f.header().to_string(), f.claims().to_string());
    let deep = "[".repeat(2000);
    let wide = format!("{{{}}}", (0..40).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(","));
    for text in ["", "null", "[]", "\"x\"", "1", "{", "{}{}", "{\"a\":}", &deep, &wide] {
        assert_eq!(f.refusal(&f.sign_text(text, &claims)), InvalidToken::Header, "{text}");
        assert_eq!(f.refusal(&f.sign_text(&header, text)), InvalidToken::Claims, "{text}");
    }
    assert_eq!(f.refusal(&f.sign_text("{}", &claims)), InvalidToken::Algorithm);
    assert_eq!(f.refusal(&f.sign_text(&header, "{}")), InvalidToken::MissingClaim("iss"));
}

#[test]
fn a_token_has_three_parts() {
    let f = fixture();
    let token = f.issue();
    for text in ["", ".", "a", "a.b", "....", &format!("{token}.x"), &format!("x.{token}"), &format!("{token}.")] {
        assert_eq!(f.refusal(text), InvalidToken::Parts, "{text}");
    }
    assert_eq!(f.refusal(".."), InvalidToken::Header);
    let encrypted = "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d";
    assert_eq!(f.refusal(encrypted), InvalidToken::Parts);
}

#[test]
fn one_token_has_one_spelling() {
    let f = fixture();
    let token = f.issue();
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    for text in [
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!("{header}.{claims}.{signature}=="),
        format!("{header}.{claims}.{signature}A"),
        format!("{header}.{claims}.{}", &signature[..85]),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{header}.{claims}.{}é", &signature[..84]),
    ] {
        assert!(matches!(f.verify(&text), Err(TokenRejected::Invalid(_))), "{text}");
    }
}

#[test]
fn every_bit_flip_is_refused() {
    let f = fixture();
    let token = f.issue();
    for verifier in [&f.verifier, &fixture_with(&f.keys)] {
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                let verdict = verifier.verify(&text, NOW);
                assert!(matches!(verdict, Err(TokenRejected::Invalid(_))), "bit {bit} of character {at}");
            }
        }
        assert!(verifier.verify(&token, NOW).is_ok());
    }
}

fn fixture_with(keys: &SharedKeyRing) -> AccessTokenVerifier {
    AccessTokenVerifier::new(AccessTokenConfig::new(ISSUER, AUDIENCE), keys.clone()).unwrap()
}

#[test]
fn a_long_token_is_refused_unread() {
    let f = fixture();
    let padding = |length| f.with_claim("pad", json!("x".repeat(length)));
    f.verify(&padding(2000)).unwrap();
    let mut at_the_bound = f.issue();
    at_the_bound.push_str(&"A".repeat(MAX_TOKEN_LENGTH - at_the_bound.len()));
    assert_eq!(f.refusal(&at_the_bound), InvalidToken::Signature);
    at_the_bound.push('A');
    assert_eq!(f.refusal(&at_the_bound), InvalidToken::TooLong);
    assert_eq!(f.refusal(&padding(1 << 20)), InvalidToken::TooLong);
    assert_eq!(f.refusal(&".".repeat(1 << 20)), InvalidToken::TooLong);
}
