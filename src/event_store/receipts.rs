//! Idempotency receipts: the reply of a command, kept with its events so that the same command, sent again, is answered
//! and not repeated.

use std::time::Duration;

use sqlx::{PgPool, Row};
use uuid::Uuid;

/// How long a receipt answers for its command.
pub const KEPT: Duration = Duration::from_hours(24);

/// A reply to keep.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Whose key it is.
    pub principal: Uuid,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// What distinguishes the request from another one under the same key.
    pub fingerprint: Vec<u8>,
    /// HTTP status of the reply.
    pub status: u16,
    /// Headers of the reply that belong to the resource, as JSON.
    pub headers: String,
    /// Body of the reply.
    pub body: String,
}

/// A reply that was kept.
#[derive(Clone, Debug)]
pub struct KeptReply {
    /// What distinguishes the request from another one under the same key.
    pub fingerprint: Vec<u8>,
    /// HTTP status of the reply.
    pub status: u16,
    /// Headers of the reply that belong to the resource, as JSON.
    pub headers: String,
    /// Body of the reply.
    pub body: String,
    /// The log position of the command's last event.
    pub position: i64,
}

/// Looks a receipt up.
pub async fn find(pool: &PgPool, principal: Uuid, key: &str) -> Result<Option<KeptReply>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT fingerprint, status, headers::text AS headers, body, position FROM idempotency_receipts
         WHERE principal = $1 AND key = $2 AND created_at > now() - make_interval(secs => $3)",
    )
    .bind(principal)
    .bind(key)
    .bind(KEPT.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(KeptReply {
            fingerprint: row.try_get("fingerprint")?,
            status: u16::try_from(row.try_get::<i16, _>("status")?).unwrap_or(200),
            headers: row.try_get("headers")?,
            body: row.try_get("body")?,
            position: row.try_get("position")?,
        })
    })
    .transpose()
}
