//! Questions about webhooks. The address comes from `webhook_endpoints`, and what an address answered from
//! `webhook_responses`: both lie outside the log.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{JobId, ProjectId, WebhookId};

use crate::page::{Listed, Page};

/// A webhook, without its secret.
#[derive(Clone, Debug, FromRow)]
pub struct WebhookRow {
    /// Id of the webhook; a project's webhooks are listed by it, the oldest first.
    pub id: Uuid,
    /// The project whose events it sends.
    pub project_id: Uuid,
    /// The address that they are sent to.
    pub url: String,
    /// What people say about it.
    pub description: String,
    /// The event types that it sends; all of them where there is none.
    pub event_types: Option<Vec<String>>,
    /// Why it sends nothing, if it does not.
    pub disabled_reason: Option<String>,
    /// Until when the secret before the current one signs, too.
    pub former_secret_until: Option<OffsetDateTime>,
    /// Who created it.
    pub created_by: Uuid,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Sequence of its last event.
    pub version: i64,
}

const SELECT: &str = "SELECT w.id, w.project_id, e.url, e.description, w.event_types, w.disabled_reason,
    CASE WHEN e.former_secret_until > now() THEN e.former_secret_until END AS former_secret_until,
    w.created_by, w.created_at, w.updated_at, w.version
    FROM webhooks w JOIN webhook_endpoints e ON e.id = w.id ";

/// A webhook of a project.
pub async fn find(
    pool: &PgPool,
    project_id: ProjectId,
    webhook_id: WebhookId,
) -> Result<Option<WebhookRow>, sqlx::Error> {
    sqlx::query_as(&format!("{SELECT} WHERE w.id = $1 AND w.project_id = $2"))
        .bind(webhook_id.uuid())
        .bind(project_id.uuid())
        .fetch_optional(pool)
        .await
}

/// The webhooks of a project, the oldest first.
pub async fn list(pool: &PgPool, project_id: ProjectId, page: Page) -> Result<Listed<WebhookRow>, sqlx::Error> {
    let rows = sqlx::query_as(&format!(
        "{SELECT} WHERE (w.project_id, w.id) > ($1, $2) AND (w.project_id, w.id) <= ($1, $3)
         ORDER BY w.project_id, w.id LIMIT $4 OFFSET $5"
    ))
    .bind(project_id.uuid())
    .bind(page.after.unwrap_or_default())
    .bind(Uuid::max())
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &WebhookRow| row.id))
}

/// A delivery of an event to a webhook.
#[derive(Clone, Debug, FromRow)]
pub struct DeliveryRow {
    /// Id of the delivery, and of its job; deliveries are listed by it, the newest first.
    pub id: Uuid,
    /// The webhook.
    pub webhook_id: Uuid,
    /// Id of the event that is sent.
    pub event_id: Uuid,
    /// The place of the event in the whole log.
    pub event_position: i64,
    /// Name of the event, such as `TaskCreated`.
    pub event_type: Option<String>,
    /// Where its job stands.
    pub status: String,
    /// How many attempts were made that count.
    pub attempts: i32,
    /// What the address answered last: a status of HTTP.
    pub response_status: Option<i32>,
    /// Why there was no answer, the last time.
    pub failure: Option<String>,
    /// When an attempt last came to its end.
    pub answered_at: Option<OffsetDateTime>,
    /// When the next attempt is due.
    pub due_at: Option<OffsetDateTime>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it was over.
    pub completed_at: Option<OffsetDateTime>,
}

const DELIVERIES: &str = "SELECT d.id, d.webhook_id, d.event_id, d.event_position, v.event_type, j.status,
    j.attempt - j.uncounted AS attempts, r.status AS response_status, r.failure, r.at AS answered_at, j.due_at,
    j.created_at, j.completed_at
    FROM webhook_deliveries d JOIN jobs j ON j.id = d.id
    LEFT JOIN webhook_responses r ON r.job_id = d.id
    LEFT JOIN events v ON v.position = d.event_position AND v.event_id = d.event_id ";

/// A delivery to a webhook.
pub async fn delivery(
    pool: &PgPool,
    webhook_id: WebhookId,
    delivery_id: JobId,
) -> Result<Option<DeliveryRow>, sqlx::Error> {
    sqlx::query_as(&format!("{DELIVERIES} WHERE d.id = $1 AND d.webhook_id = $2"))
        .bind(delivery_id.uuid())
        .bind(webhook_id.uuid())
        .fetch_optional(pool)
        .await
}

/// The deliveries to a webhook, the newest first.
pub async fn deliveries(pool: &PgPool, webhook_id: WebhookId, page: Page) -> Result<Listed<DeliveryRow>, sqlx::Error> {
    let rows = sqlx::query_as(&format!(
        "{DELIVERIES} WHERE (d.webhook_id, d.id) < ($1, $2) AND (d.webhook_id, d.id) >= ($1, $3)
         ORDER BY d.webhook_id DESC, d.id DESC LIMIT $4 OFFSET $5"
    ))
    .bind(webhook_id.uuid())
    .bind(page.after.unwrap_or(Uuid::max()))
    .bind(Uuid::nil())
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &DeliveryRow| row.id))
}
