//! Signatures of webhooks: Standard Webhooks (<https://www.standardwebhooks.com>, version 1.0.0) and Svix, which differ
//! in the names of their headers only. HMAC-SHA256 over `<id>.<timestamp>.<body>`, the body as it came.

use aws_lc_rs::hmac;
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

    /// The signature of a message, as `webhook-signature` carries it; several stand side by side, with a space between.
    pub fn sign(&self, id: &str, at: OffsetDateTime, body: &[u8]) -> String {
        let tag = hmac::sign(&self.0, &signed(id, &at.unix_timestamp().to_string(), body));
        format!("v1,{}", STANDARD.encode(tag))
    }
}

/// The bytes under a signature.
fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
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

    /// Checks a message; returns its id. `header` gives the text of the header of that name, in lower case, if the message has
    /// it exactly once.
    pub fn verify<'h>(
        &self,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<MessageId, SignatureRejected> {
        let family = FAMILIES.iter().find_map(|[id, timestamp, signatures]| {
            // All three of one family.
            Some([header(id)?, header(timestamp)?, header(signatures)?])
        });
        let [id, timestamp, signatures] = family.ok_or(SignatureRejected::MissingHeaders)?;
        let is_sound_id = (1..=255).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        let seconds: i64 = timestamp.parse().map_err(|_| SignatureRejected::MissingHeaders)?;
        if !is_sound_id {
            return Err(SignatureRejected::MissingHeaders);
        }
        let at = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| SignatureRejected::Stale)?;
        if (now - at).abs() > TOLERANCE {
            return Err(SignatureRejected::Stale);
        }
        let signed = signed(id, timestamp, body);
        let is_ours = signatures
            .split(' ')
            .take(SIGNATURES)
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .any(|tag| self.secrets.iter().any(|SigningSecret(key)| hmac::verify(key, &signed, &tag).is_ok()));
        if is_ours { Ok(MessageId(id.to_owned())) } else { Err(SignatureRejected::Mismatch) }
    }
}

#[cfg(test)]
mod tests;
