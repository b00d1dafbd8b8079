//! Messages of an identity provider, taken in once each.

use axum::http::HeaderMap;
use time::OffsetDateTime;
use workroom_credentials::webhook::{
    event::IdentityEvent,
    signature::{MessageId, SignatureRejected, SigningSecret, WebhookVerifier},
};

use super::{Identity, webhook::IdentityWebhookConfig};
use crate::application::in_field;
use crate::{application::Error, clock::now};

/// Who may tell of people, and how that is known.
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
    ///
    /// # Errors
    /// [`SignatureRejected`].
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

impl Identity {
    /// What an identity provider may tell, where one is configured.
    pub fn webhook(&self) -> Option<&IdentityWebhook> {
        self.inner.config.webhook.as_ref()
    }

    /// Does what a message tells of, unless that was done before. The id is noted afterwards: doing it twice does no
    /// harm, forgetting it would.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a message that does not read; the database's: the sender tries again then.
    pub async fn take_in(&self, id: &MessageId, body: &[u8]) -> Result<(), Error> {
        let Some(webhook) = self.webhook() else { return Err(Error::not_found("webhook")) };
        let pool = self.inner.app.pool();
        let is_known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM webhook_messages WHERE id = $1)")
            .bind(id.as_str())
            .fetch_one(pool)
            .await?;
        if is_known {
            return Ok(());
        }
        let event = IdentityEvent::parse(body, now()).map_err(in_field(""))?;
        self.apply_identity_event(&webhook.issuer, &event).await?;
        sqlx::query("INSERT INTO webhook_messages (id) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(id.as_str())
            .execute(pool)
            .await?;
        Ok(())
    }
}
