//! Webhooks as those who manage them see them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_projections::{
    history::Cause,
    webhooks::{DeliveryRow, WebhookRow},
};

use crate::http::beside::Row;

/// Why a webhook sends nothing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "its schema is used")]
enum DisabledReason {
    /// Somebody asked for it.
    Requested,
    /// The address answered that it is gone for good (410).
    Gone,
    /// Nothing was delivered for a day, and ten attempts or more failed in that time.
    Failing,
    /// Who created it, or enabled it last, may not manage the project's webhooks any more.
    CreatorLeft,
}

/// A webhook of a project.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// The webhook's id, a UUIDv7.
    pub id: Uuid,
    /// The project whose events it sends.
    pub project_id: Uuid,
    /// The address that events are sent to.
    #[schema(example = "https://example.com/hooks/apollo")]
    pub url: String,
    /// What people say about it; empty where they say nothing.
    pub description: String,
    /// The types of the events that it sends, in alphabetical order; null for all.
    pub event_types: Option<Vec<String>>,
    /// Whether it sends anything.
    pub enabled: bool,
    /// Why it sends nothing; null where it does.
    #[schema(value_type = Option<DisabledReason>)]
    pub disabled_reason: Option<String>,
    /// Until when the secret before the current one signs, too; null where there is none.
    #[serde(with = "time::serde::rfc3339::option")]
    pub former_secret_until: Option<OffsetDateTime>,
    /// The account that created it.
    pub created_by: Uuid,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Its version, as in `ETag`.
    pub version: i64,
}

impl From<WebhookRow> for Webhook {
    fn from(row: WebhookRow) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            url: row.url,
            description: row.description,
            event_types: row.event_types,
            enabled: row.disabled_reason.is_none(),
            disabled_reason: row.disabled_reason,
            former_secret_until: row.former_secret_until,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl Row for WebhookRow {
    fn creation(&self) -> Cause {
        Cause { by: self.created_by, at: self.created_at }
    }

    fn last_change(&self) -> (i64, Cause) {
        (self.version, Cause { by: self.created_by, at: self.updated_at })
    }
}

/// How far a delivery is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "its schema is used")]
enum DeliveryStatus {
    /// It waits for its next attempt.
    Pending,
    /// It is being sent.
    Running,
    /// It was taken: the address answered with a status of 200 to 299.
    Completed,
    /// It was given up.
    Failed,
    /// It was ended: the project was deleted.
    Cancelled,
}

/// A delivery of an event to a webhook's address.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The delivery's id.
    pub id: Uuid,
    /// The webhook.
    pub webhook_id: Uuid,
    /// The id of the event that is sent, also its `webhook-id`.
    pub event_id: Uuid,
    /// The type of the event; null when it is not known any more.
    pub event_type: Option<String>,
    /// The place of the event in the whole log.
    pub position: i64,
    /// How far it is.
    #[schema(value_type = DeliveryStatus)]
    pub status: String,
    /// How many attempts were made; those that were put off do not count.
    pub attempts: i32,
    /// What the address answered last, as a status of HTTP; null when it did not.
    pub response_status: Option<i32>,
    /// Why there was no answer the last time: `timeout`, `connection_failed`, `no_public_address` (the host is
    /// unknown, or may not be reached), `no_network` (the service itself has none: it counts for nothing),
    /// `redirect_refused`, `malformed_address` or `no_http`; null when there was one.
    pub failure: Option<String>,
    /// When an attempt last came to its end; null before the first did.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_attempt_at: Option<OffsetDateTime>,
    /// When the next attempt is due; null when none is.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_attempt_at: Option<OffsetDateTime>,
    /// When the delivery was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was over; null before.
    #[serde(with = "time::serde::rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            id: row.id,
            webhook_id: row.webhook_id,
            event_id: row.event_id,
            event_type: row.event_type,
            position: row.event_position,
            status: row.status,
            attempts: row.attempts,
            response_status: row.response_status,
            failure: row.failure,
            last_attempt_at: row.answered_at,
            next_attempt_at: row.due_at,
            created_at: row.created_at,
            completed_at: row.completed_at,
        }
    }
}
