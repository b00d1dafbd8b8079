//! What is issued, and with which configuration.

use super::*;

#[test]
fn an_issued_token_is_accepted_and_says_whose_it_is() {
    let f = fixture();
    let now = NOW + time::Duration::milliseconds(250);
    let issued = f.issuer.issue(f.account, f.session, now).unwrap();
    let claims = f.verifier.verify(&issued.token, now).unwrap();
    assert_eq!((claims.account, claims.session), (f.account, f.session));
    assert_eq!((claims.issued_at, claims.not_before), (NOW, NOW));
    assert_eq!(claims.expires_at, NOW + seconds(900));
    assert_eq!((issued.expires_at, issued.expires_in), (claims.expires_at, 900));
    assert_eq!(claims.token_id.get_version_num(), 7);
    assert!(issued.token.len() < 700, "{}", issued.token.len());
}

#[test]
fn an_issued_token_has_exactly_the_documented_header_and_claims() {
    let f = fixture();
    let token = f.issue();
    let parts: Vec<Value> = token
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], f.header());
    let mut expected = f.claims();
    expected["jti"] = parts[1]["jti"].clone();
    assert_eq!(parts[1], expected);
}

#[test]
fn two_tokens_of_one_moment_differ() {
    let f = fixture();
    assert_ne!(f.issue(), f.issue());
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let good = AccessTokenConfig::new(ISSUER, AUDIENCE);
    let refused = |config: AccessTokenConfig| {
        let verifier = AccessTokenVerifier::new(config.clone(), fixture().keys).err();
        assert_eq!(AccessTokenIssuer::new(config, fixture().keys).err(), verifier);
        verifier
    };
    assert_eq!(refused(good.clone()), None);
    for lifetime in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(3601)] {
        assert_eq!(refused(AccessTokenConfig { lifetime, ..good.clone() }), Some(InvalidConfig::Lifetime));
    }
    for leeway in [Duration::from_secs(6), Duration::from_millis(1)] {
        assert_eq!(refused(AccessTokenConfig { leeway, ..good.clone() }), Some(InvalidConfig::Leeway));
    }
    assert_eq!(refused(AccessTokenConfig { issuer: String::new(), ..good.clone() }), Some(InvalidConfig::Unnamed));
    assert_eq!(refused(AccessTokenConfig { audience: String::new(), ..good }), Some(InvalidConfig::Unnamed));
}

#[test]
fn the_token_is_in_no_debug_output() {
    let f = fixture();
    let issued = f.issuer.issue(f.account, f.session, NOW).unwrap();
    assert!(!format!("{issued:?}").contains("eyJ"));
}
