//! Who may tell of people, and how that is known.

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use workroom_credentials::webhook::signature::{MessageId, SignatureRejected, SigningSecret, WebhookVerifier};

/// Who may tell, and how that is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityWebhookConfig {
    /// The issuer whose people they are, as its tokens name it.
    pub issuer: String,
    /// Signing secrets, `whsec_…`: one, or two while they are being changed.
    pub secrets: Vec<String>,
}

/// The same, with the secrets read.
#[derive(Clone, Debug)]
pub struct IdentityWebhook {
    /// The issuer whose people they are.
    pub issuer: String,
    verifier: WebhookVerifier,
}

impl IdentityWebhook {
    /// From the configuration.
    ///
    /// # Errors
    /// A secret that does not read.
    pub fn new(config: &IdentityWebhookConfig) -> anyhow::Result<Self> {
        let secrets: Result<Vec<_>, _> = config.secrets.iter().map(|secret| SigningSecret::parse(secret)).collect();
        Ok(Self { issuer: config.issuer.clone(), verifier: WebhookVerifier::new(secrets?) })
    }

    /// Checks a message's signature; returns the message's id.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<MessageId, SignatureRejected> {
        let once = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?.to_str().ok()?;
            values.next().is_none().then_some(value)
        };
        self.verifier.verify(once, body, now)
    }
}
