//! Signatures of webhooks: Standard Webhooks (<https://www.standardwebhooks.com>, version 1.0.0) and Svix, which differ
//! in the names of their headers only. HMAC-SHA256 over `<id>.<timestamp>.<body>`, the body as it came.

use aws_lc_rs::hmac;
use axum::http::HeaderMap;
use base64::{
    Engine, alphabet,
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD},
    },
};
use time::{Duration, OffsetDateTime};

/// Secrets are handed out with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How far a message's time may be from ours.
pub const TOLERANCE: Duration = Duration::minutes(5);

/// Signatures that one message may carry: one a secret, and some to spare.
const SIGNATURES: usize = 16;
const FAMILIES: [[&str; 3]; 2] =
    [["webhook-id", "webhook-timestamp", "webhook-signature"], ["svix-id", "svix-timestamp", "svix-signature"]];

/// A secret that messages are signed with.
#[derive(Clone)]
pub struct SigningSecret(hmac::Key);

/// The text is no secret of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is `whsec_` and base64")]
pub struct MalformedSecret;

impl SigningSecret {
    /// Reads `whsec_<base64>`; the prefix may be missing.
    ///
    /// # Errors
    /// [`MalformedSecret`], also for fewer than 16 bytes.
    pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
        let bytes = LENIENT.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| MalformedSecret)?;
        if bytes.len() < 16 { Err(MalformedSecret) } else { Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))) }
    }
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(..)")
    }
}

/// Names a message, whenever it is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageId(String);

impl MessageId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRejected {
    /// A header is missing or does not read.
    #[error("the signature headers are missing or malformed")]
    MissingHeaders,
    /// Its time is not ours.
    #[error("the message is too old, or from the future")]
    Stale,
    /// No signature is one of ours.
    #[error("the signature does not hold")]
    Mismatch,
}

/// Checks signatures. Cloning shares nothing secret that is not shared already.
#[derive(Clone, Debug)]
pub struct WebhookVerifier {
    secrets: Vec<SigningSecret>,
}

impl WebhookVerifier {
    /// With these secrets, any of which may have signed.
    pub fn new(secrets: Vec<SigningSecret>) -> Self {
        Self { secrets }
    }

    /// Checks a message; returns its id.
    ///
    /// # Errors
    /// [`SignatureRejected`].
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<MessageId, SignatureRejected> {
        let [id, timestamp, signatures] =
            FAMILIES.iter().find_map(|names| read(headers, names)).ok_or(SignatureRejected::MissingHeaders)?;
        let is_sound_id = (1..=255).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        let seconds: i64 = timestamp.parse().map_err(|_| SignatureRejected::MissingHeaders)?;
        if !is_sound_id {
            return Err(SignatureRejected::MissingHeaders);
        }
        let at = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| SignatureRejected::Stale)?;
        if (now - at).abs() > TOLERANCE {
            return Err(SignatureRejected::Stale);
        }
        let mut signed = Vec::with_capacity(id.len() + timestamp.len() + 2 + body.len());
        signed.extend_from_slice(id.as_bytes());
        signed.push(b'.');
        signed.extend_from_slice(timestamp.as_bytes());
        signed.push(b'.');
        signed.extend_from_slice(body);
        let is_ours = signatures
            .split(' ')
            .take(SIGNATURES)
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .any(|tag| self.secrets.iter().any(|SigningSecret(key)| hmac::verify(key, &signed, &tag).is_ok()));
        if is_ours { Ok(MessageId(id.to_owned())) } else { Err(SignatureRejected::Mismatch) }
    }
}

/// The three headers of one family, each there once.
fn read<'h>(headers: &'h HeaderMap, names: &[&str; 3]) -> Option<[&'h str; 3]> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    };
    Some([one(names[0])?, one(names[1])?, one(names[2])?])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;

    fn headers(family: usize, signature: &str) -> HeaderMap {
        let values = [ID.to_owned(), AT.to_string(), signature.to_owned()];
        FAMILIES[family]
            .iter()
            .zip(values)
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn verifier() -> WebhookVerifier {
        WebhookVerifier::new(vec![SigningSecret::parse(SECRET).unwrap()])
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
        secrets.extend(verifier().secrets);
        let several = headers(0, &format!("v1,AAAA v1a,nonsense {SIGNATURE}"));
        assert!(WebhookVerifier::new(secrets).verify(&several, BODY, at(0)).is_ok());
        let rejected = WebhookVerifier::new(others).verify(&several, BODY, at(0));
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
            changed.insert(name, value.parse().unwrap());
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
        mixed.insert("svix-id", ID.parse().unwrap());
        assert_eq!(verifier().verify(&mixed, BODY, at(0)), Err(SignatureRejected::MissingHeaders));
        let mut doubled = headers(0, SIGNATURE);
        doubled.append("webhook-signature", SIGNATURE.parse().unwrap());
        assert_eq!(verifier().verify(&doubled, BODY, at(0)), Err(SignatureRejected::MissingHeaders));
        assert_eq!(verifier().verify(&HeaderMap::new(), BODY, at(0)), Err(SignatureRejected::MissingHeaders));
    }

    #[test]
    fn a_short_secret_is_none() {
        assert!(SigningSecret::parse("whsec_AAAA").is_err());
        assert!(SigningSecret::parse("whsec_!").is_err());
        assert!(!format!("{:?}", verifier()).contains("MfKQ"));
    }
}
