#![allow(clippy::unwrap_used)]

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: i64 = 1_614_265_330;

/// Headers, in any order, perhaps repeated.
#[derive(Clone, Default)]
struct Headers(Vec<(&'static str, String)>);

impl Headers {
    fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| *known != name);
    }

    fn insert(&mut self, name: &'static str, value: &str) {
        self.remove(name);
        self.append(name, value);
    }

    fn append(&mut self, name: &'static str, value: &str) {
        self.0.push((name, value.to_owned()));
    }

    fn once(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(known, _)| *known == name);
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }
}

fn headers(family: usize, signature: &str) -> Headers {
    let values = [ID.to_owned(), AT.to_string(), signature.to_owned()];
    Headers(FAMILIES[family].iter().copied().zip(values).collect())
}

/// A verifier that takes headers of these tests.
struct Verifier(WebhookVerifier);

impl Verifier {
    fn new(secrets: Vec<SigningSecret>) -> Self {
        Self(WebhookVerifier::new(secrets))
    }

    fn verify(&self, headers: &Headers, body: &[u8], now: OffsetDateTime) -> Result<MessageId, SignatureRejected> {
        self.0.verify(|name| headers.once(name), body, now)
    }
}

fn verifier() -> Verifier {
    Verifier::new(vec![SigningSecret::parse(SECRET).unwrap()])
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(AT + seconds).unwrap()
}

/// The vector that the Standard Webhooks libraries and Svix' documentation share.
#[test]
fn the_published_vector_holds_under_either_name() {
    for family in [0, 1] {
        let id = verifier().verify(&headers(family, SIGNATURE), BODY, at(0)).unwrap();
        assert_eq!(id.as_str(), ID);
    }
}

#[test]
fn one_of_several_signatures_and_secrets_is_enough() {
    let others = vec![SigningSecret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAA").unwrap()];
    let mut secrets = others.clone();
    secrets.extend(verifier().0.secrets);
    let several = headers(0, &format!("v1,AAAA v1a,nonsense {SIGNATURE}"));
    assert!(Verifier::new(secrets).verify(&several, BODY, at(0)).is_ok());
    let rejected = Verifier::new(others).verify(&several, BODY, at(0));
    assert_eq!(rejected, Err(SignatureRejected::Mismatch));
}

#[test]
fn any_change_of_the_message_is_noticed() {
    let signed = headers(0, SIGNATURE);
    for at_byte in 0..BODY.len() {
        let mut body = BODY.to_vec();
        body[at_byte] ^= 1;
        assert_eq!(verifier().verify(&signed, &body, at(0)), Err(SignatureRejected::Mismatch));
    }
    for (name, value) in [("webhook-id", "msg_other"), ("webhook-timestamp", "1614265331")] {
        let mut changed = signed.clone();
        changed.insert(name, value);
        assert_eq!(verifier().verify(&changed, BODY, at(0)), Err(SignatureRejected::Mismatch));
    }
}

#[test]
fn the_time_must_be_ours() {
    let signed = headers(0, SIGNATURE);
    for near in [-300, 300] {
        assert!(verifier().verify(&signed, BODY, at(near)).is_ok());
    }
    for far in [-301, 301] {
        assert_eq!(verifier().verify(&signed, BODY, at(far)), Err(SignatureRejected::Stale));
    }
}

#[test]
fn headers_must_be_complete_and_of_one_family() {
    let mut mixed = headers(0, SIGNATURE);
    mixed.remove("webhook-id");
    mixed.insert("svix-id", ID);
    assert_eq!(verifier().verify(&mixed, BODY, at(0)), Err(SignatureRejected::MissingHeaders));
    let mut doubled = headers(0, SIGNATURE);
    doubled.append("webhook-signature", SIGNATURE);
    assert_eq!(verifier().verify(&doubled, BODY, at(0)), Err(SignatureRejected::MissingHeaders));
    assert_eq!(verifier().verify(&Headers::default(), BODY, at(0)), Err(SignatureRejected::MissingHeaders));
}

#[test]
fn a_short_secret_is_none() {
    assert!(SigningSecret::parse("whsec_AAAA").is_err());
    assert!(SigningSecret::parse("whsec_!").is_err());
    assert!(!format!("{:?}", verifier().0).contains("MfKQ"));
}

#[test]
fn the_published_vector_is_what_is_signed() {
    let secret = SigningSecret::parse(SECRET).unwrap();
    assert_eq!(secret.sign(ID, at(0), BODY), SIGNATURE);
    let other = SigningSecret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let both = format!("{} {}", other.sign(ID, at(0), BODY), secret.sign(ID, at(0), BODY));
    assert!(verifier().verify(&headers(0, &both), BODY, at(0)).is_ok());
}
