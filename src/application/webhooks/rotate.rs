//! Sign with another secret.

use serde::Serialize;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use workroom_domain::{ids::WebhookId, webhook::WebhookCommand};

use super::{SealedSecret, WebhookPlace, authorized};
use crate::application::{At, Bytea, Change, Command, Error, TableChange, Unit};

/// How long the secret before signs, too: receivers change at their own pace.
pub const FORMER_SECRET_LIFETIME: Duration = Duration::hours(24);

/// Sign with another secret.
#[derive(Clone, Copy, Debug)]
pub struct RotateSecret {
    /// The webhook whose secret changes.
    pub place: WebhookPlace,
}

impl Command for RotateSecret {
    /// Sequence of its last event.
    type Reply = i64;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.webhook_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<i64, Error> {
        let webhook = authorized(unit, self.place).await?;
        Ok(unit.decide(&webhook, WebhookCommand::RotateSecret)?.sequence)
    }
}

/// Keeps the new secret, and the one before for a while.
#[derive(Clone, Debug)]
pub struct ReplaceSecret {
    /// The webhook whose secret changes.
    pub webhook_id: WebhookId,
    /// The new secret.
    pub secret: SealedSecret,
    /// Until when the one before signs, too.
    pub former_until: OffsetDateTime,
}

#[derive(Serialize)]
struct SecretRow<'a> {
    id: Uuid,
    secret: Bytea<'a>,
    former_until: At,
}

impl TableChange for ReplaceSecret {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let id = self.webhook_id.into();
        let row = SecretRow { id, secret: Bytea(&self.secret.0), former_until: At(self.former_until) };
        let replace = Change::new(
            "UPDATE webhook_endpoints e
             SET secret = a.secret, former_secret = e.secret, former_secret_until = a.former_until
             FROM jsonb_to_record($1) AS a (id uuid, secret bytea, former_until timestamptz) WHERE e.id = a.id",
            &row,
        )?;
        Ok(vec![replace.or(|| Error::not_found("webhook"))])
    }
}
