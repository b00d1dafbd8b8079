//! Claims, one by one.

use super::*;

#[test]
fn the_handmade_token_of_these_tests_is_accepted() {
    let f = fixture();
    f.verify(&f.sign_text(&f.header().to_string(), &f.claims().to_string())).unwrap();
    f.verify(&f.with_claim("scope", json!("a claim nobody knows"))).unwrap();
}

#[test]
fn required_claims_are_required() {
    let f = fixture();
    for name in ["exp", "nbf", "iat", "iss", "aud", "sub", "sid", "jti"] {
        assert_eq!(f.refusal(&f.without_claim(name)), InvalidToken::MissingClaim(name));
        assert_eq!(f.refusal(&f.with_claim(name, json!(null))), InvalidToken::MissingClaim(name));
    }
}

#[test]
fn times_are_whole_numbers_within_bounds() {
    let f = fixture();
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!("1795176900"),
            json!(1_795_176_900.0),
            json!(1_795_176_900.5),
            json!(1e300),
            json!(-1),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(LAST_SECOND + 1),
            json!(true),
            json!([1_795_176_900]),
            json!({}),
        ] {
            let reason = f.refusal(&f.with_claim(name, value.clone()));
            assert_eq!(reason, InvalidToken::ClaimForm(name), "{name} {value}");
        }
    }
}

#[test]
fn numbers_beyond_any_type_are_refused() {
    let f = fixture();
    for number in ["1e400", "99999999999999999999999999", "0x7fffffff", "NaN", "Infinity", "01"] {
        let claims = f.claims().to_string().replace(&(NOW.unix_timestamp() + 900).to_string(), number);
        let reason = f.refusal(&f.sign_text(&f.header().to_string(), &claims));
        assert!(matches!(reason, InvalidToken::Claims | InvalidToken::ClaimForm("exp")), "{number} {reason:?}");
    }
}

#[test]
fn the_issuer_is_exactly_ours() {
    let f = fixture();
    for issuer in ["", "https://workroom.example/", "HTTPS://WORKROOM.EXAMPLE", "https://evil.example"] {
        assert_eq!(f.refusal(&f.with_claim("iss", json!(issuer))), InvalidToken::Issuer);
    }
    assert_eq!(f.refusal(&f.with_claim("iss", json!([ISSUER]))), InvalidToken::ClaimForm("iss"));
}

#[test]
fn the_audience_is_exactly_ours() {
    let f = fixture();
    f.verify(&f.with_claim("aud", json!([AUDIENCE]))).unwrap();
    for audience in [json!(""), json!("Workroom"), json!([]), json!(["other"]), json!([AUDIENCE, "other"]), json!([1])]
    {
        assert_eq!(f.refusal(&f.with_claim("aud", audience.clone())), InvalidToken::Audience, "{audience}");
    }
    assert_eq!(f.refusal(&f.with_claim("aud", json!(1))), InvalidToken::ClaimForm("aud"));
}

#[test]
fn identifiers_are_uuids_in_one_spelling() {
    let f = fixture();
    let id = "01990000-0000-7000-8000-00000000000a";
    for name in ["sub", "sid", "jti"] {
        f.verify(&f.with_claim(name, json!(id))).unwrap();
        for value in [
            json!(""),
            json!("admin"),
            json!(1),
            json!([id]),
            json!(id.to_uppercase()),
            json!(id.replace('-', "")),
            json!(format!("{{{id}}}")),
            json!(format!("urn:uuid:{id}")),
            json!(format!("{id} ")),
        ] {
            let reason = f.refusal(&f.with_claim(name, value.clone()));
            assert_eq!(reason, InvalidToken::ClaimForm(name), "{name} {value}");
        }
    }
}
