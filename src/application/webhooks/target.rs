//! What a worker needs to know to send an event, and what it notes of the answer.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use workroom_domain::{
    access,
    ids::{JobId, WebhookId},
};

use super::{MANAGE, SealedSecret};

/// Where an event is to be sent, and what it is signed with.
#[derive(Clone, Debug)]
pub struct Target {
    /// The address.
    pub url: String,
    /// The secrets that sign now: the current one first.
    pub secrets: Vec<SealedSecret>,
    /// Whether the webhook sends anything: it is enabled, and the account that it acts for may manage it.
    pub may_send: bool,
}

#[derive(FromRow)]
struct TargetRow {
    url: String,
    secret: Vec<u8>,
    former_secret: Option<Vec<u8>>,
    may_send: bool,
}

impl Target {
    /// As it is now; none when the webhook is gone.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(pool: &PgPool, webhook_id: WebhookId) -> Result<Option<Self>, sqlx::Error> {
        let found: Option<TargetRow> = sqlx::query_as(
            "SELECT e.url, e.secret, CASE WHEN e.former_secret_until > now() THEN e.former_secret END AS former_secret,
                    w.disabled_reason IS NULL AND EXISTS (
                        SELECT FROM accounts a CROSS JOIN projects p
                        CROSS JOIN LATERAL project_relation(p.id, p.organization_id, p.is_public, p.deleted, a.id) r
                        WHERE a.id = COALESCE(w.acts_for, w.created_by) AND a.deactivated_at IS NULL
                          AND p.id = w.project_id AND r.relation = ANY ($2)
                    ) AS may_send
             FROM webhook_endpoints e JOIN webhooks w ON w.id = e.id WHERE e.id = $1",
        )
        .bind(webhook_id.uuid())
        .bind(access::allowing(MANAGE))
        .fetch_optional(pool)
        .await?;
        Ok(found.map(|TargetRow { url, secret, former_secret, may_send }| {
            let secrets = [Some(secret), former_secret].into_iter().flatten().map(SealedSecret).collect();
            Self { url, secrets, may_send }
        }))
    }
}

/// How an attempt to deliver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The delivery.
    pub delivery_id: JobId,
    /// Its webhook.
    pub webhook_id: WebhookId,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// The status of HTTP that was answered.
    pub status: Option<u16>,
    /// Why there was no answer, or none that is taken.
    pub failure: Option<&'static str>,
}

impl Response {
    /// Notes it, for people to see. Of a webhook that is gone, nothing is noted.
    ///
    /// # Errors
    /// The database's.
    pub async fn note(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO webhook_responses AS r (job_id, webhook_id, attempt, status, failure)
             SELECT $1, e.id, $3, $4, $5 FROM webhook_endpoints e WHERE e.id = $2
             ON CONFLICT (job_id) DO UPDATE
             SET attempt = EXCLUDED.attempt, status = EXCLUDED.status, failure = EXCLUDED.failure, at = now()
             WHERE r.attempt <= EXCLUDED.attempt",
        )
        .bind(self.delivery_id.uuid())
        .bind(self.webhook_id.uuid())
        .bind(i32::try_from(self.attempt).unwrap_or(i32::MAX))
        .bind(self.status.map(i32::from))
        .bind(self.failure)
        .execute(pool)
        .await
        .map(drop)
    }
}
