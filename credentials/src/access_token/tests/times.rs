//! `exp`, `nbf`, `iat`, to the second.

use super::*;

#[test]
fn a_life_that_is_too_long_or_turned_around_is_refused() {
    let f = fixture();
    let now = NOW.unix_timestamp();
    f.verify(&f.with_claim("exp", json!(now + 3600))).unwrap();
    assert_eq!(f.refusal(&f.with_claim("exp", json!(now + 3601))), InvalidToken::Lifetime);
    assert_eq!(f.refusal(&f.with_claim("exp", json!(LAST_SECOND))), InvalidToken::Lifetime);
    assert_eq!(f.refusal(&f.with_claim("exp", json!(now))), InvalidToken::Lifetime);
    assert_eq!(f.refusal(&f.with_claim("exp", json!(0))), InvalidToken::Lifetime);
    assert_eq!(f.refusal(&f.with_claim("nbf", json!(now + 900))), InvalidToken::Lifetime);
    assert_eq!(f.refusal(&f.with_claim("iat", json!(0))), InvalidToken::Lifetime);
}

#[test]
fn a_token_ends_at_its_exp_and_the_leeway() {
    let f = fixture();
    let token = f.issue();
    let end = NOW + seconds(905);
    let nanosecond = time::Duration::nanoseconds(1);
    // Twice: the first round fills the cache, the second reads it.
    for _ in 0..2 {
        assert!(f.verifier.verify(&token, end - nanosecond).is_ok());
        assert_eq!(f.verifier.verify(&token, end), Err(TokenRejected::Expired));
        assert_eq!(f.verifier.verify(&token, end + time::Duration::days(9999)), Err(TokenRejected::Expired));
    }
}

#[test]
fn a_token_begins_at_its_nbf_and_iat_less_the_leeway() {
    let f = fixture();
    let late = NOW.unix_timestamp() + 100;
    let early = Err(TokenRejected::Invalid(InvalidToken::NotYetValid));
    for token in [f.with_claim("nbf", json!(late)), f.with_claim("iat", json!(late))] {
        for _ in 0..2 {
            assert_eq!(f.verifier.verify(&token, NOW + seconds(94)), early);
            assert!(f.verifier.verify(&token, NOW + seconds(95)).is_ok());
            assert_eq!(f.verifier.verify(&token, OffsetDateTime::UNIX_EPOCH), early);
        }
    }
}

#[test]
fn without_leeway_the_second_counts() {
    let f = fixture();
    let config = AccessTokenConfig { leeway: Duration::ZERO, ..AccessTokenConfig::new(ISSUER, AUDIENCE) };
    let verifier = AccessTokenVerifier::new(config, f.keys.clone()).unwrap();
    let token = f.issue();
    assert!(verifier.verify(&token, NOW).is_ok());
    assert!(verifier.verify(&token, NOW + seconds(899)).is_ok());
    assert_eq!(verifier.verify(&token, NOW + seconds(900)), Err(TokenRejected::Expired));
    assert!(verifier.verify(&token, NOW - seconds(1)).is_err());
}

#[test]
fn only_a_token_of_ours_is_called_expired() {
    let f = fixture();
    let mut token = f.issue();
    let later = NOW + seconds(5000);
    assert_eq!(f.verifier.verify(&token, later), Err(TokenRejected::Expired));
    let at = token.len() - 10;
    let other = if token.as_bytes()[at] == b'-' { "_" } else { "-" };
    token.replace_range(at..=at, other);
    assert_eq!(f.verifier.verify(&token, later), Err(TokenRejected::Invalid(InvalidToken::Signature)));
}
