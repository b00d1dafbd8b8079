//! What a stretch of the log has for webhooks, as the views show them.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, JobId, OrganizationId, ProjectId, WebhookId};

use super::{
    deliver::{NewDelivery, delivery_id},
    failures::EndedAttempt,
};
use crate::background::Stretch;

/// A delivery that follows from an event.
#[derive(Clone, Debug, FromRow)]
pub(super) struct DueRow {
    /// Where that is in the log.
    pub position: i64,
    /// The event that it follows from: the one that is sent, or one that asks for it.
    pub cause: Uuid,
    event_id: Uuid,
    event_position: i64,
    /// Where it was given by who asked.
    delivery_id: Option<Uuid>,
    /// The webhook that sends it.
    pub webhook_id: Uuid,
    webhook_version: i64,
    project_id: Uuid,
    organization_id: Uuid,
    acts_for: Uuid,
}

impl From<&DueRow> for NewDelivery {
    fn from(row: &DueRow) -> Self {
        let webhook_id = WebhookId(row.webhook_id);
        Self {
            id: row.delivery_id.map_or_else(|| delivery_id(webhook_id, row.event_id), JobId),
            webhook_id,
            webhook_version: row.webhook_version,
            project_id: ProjectId(row.project_id),
            organization_id: OrganizationId(row.organization_id),
            acts_for: AccountId(row.acts_for),
            event_id: row.event_id,
            position: row.event_position,
        }
    }
}

/// Most deliveries to one webhook that follow from one event: it is sent, and it asks for another to be sent again.
pub(super) const MOST_OF_EVENT: i64 = 2;

/// What is due in a stretch: to one webhook, or to all that are not behind. The stretch is read first, and by itself:
/// by way of webhooks, all history of their projects would be.
const DUE: &str = "
    WITH stretch AS MATERIALIZED (
        SELECT position, event_id, event_type, feed_id,
               CASE WHEN event_type = 'WebhookRedeliveryRequested' THEN aggregate_id::uuid END AS asked,
               CASE WHEN event_type = 'WebhookRedeliveryRequested' THEN payload END AS payload
        FROM events WHERE position > $1 AND position <= $2
    ), senders AS NOT MATERIALIZED (
        SELECT w.id, w.project_id, w.version, w.sends_from, w.event_types, w.disabled_reason, p.organization_id,
               COALESCE(w.acts_for, w.created_by) AS acts_for
        FROM webhooks w JOIN projects p ON p.id = w.project_id JOIN webhook_endpoints e ON e.id = w.id
        WHERE CASE WHEN $4::uuid IS NULL THEN e.behind_at IS NULL ELSE e.id = $4 END
    )
    SELECT s.position, s.event_id AS cause, s.event_id, s.position AS event_position, NULL::uuid AS delivery_id,
           w.id AS webhook_id, w.version AS webhook_version, w.project_id, w.organization_id, w.acts_for
    FROM stretch s JOIN senders w ON w.project_id = s.feed_id
    WHERE s.position > w.sends_from AND w.disabled_reason IS NULL
      -- Who reads what it was told of would be told of that.
      AND (w.event_types IS NULL AND s.event_type NOT IN ('StateRead', 'HistoryExported') OR s.event_type = ANY (w.event_types))
    UNION ALL
    SELECT s.position, s.event_id, (s.payload->>'event_id')::uuid, (s.payload->>'position')::bigint,
           (s.payload->>'delivery_id')::uuid, w.id, w.version, w.project_id, w.organization_id, w.acts_for
    FROM stretch s JOIN senders w ON w.id = s.asked
    ORDER BY position, cause, webhook_id LIMIT $3";

/// The first that are due in a stretch, `limit` at most: to one webhook, or to all that are not behind.
pub(super) async fn due(
    pool: &PgPool,
    Stretch { after, until }: Stretch,
    limit: i64,
    webhook: Option<Uuid>,
) -> Result<Vec<DueRow>, sqlx::Error> {
    sqlx::query_as(DUE).bind(after).bind(until).bind(limit).bind(webhook).fetch_all(pool).await
}

/// Attempts to deliver that have succeeded or failed. They are in the feed of their webhook. What came of it before it
/// was enabled does not count.
const ENDED: &str = "
    WITH stretch AS MATERIALIZED (
        SELECT position, event_type, feed_id, recorded_at FROM events
        WHERE position > $1 AND position <= $2 AND event_type IN ('JobSucceeded', 'JobAttemptFailed')
    )
    SELECT w.id AS webhook_id, s.position, s.event_type = 'JobAttemptFailed' AS has_failed, s.recorded_at AS at
    FROM stretch s JOIN webhooks w ON w.id = s.feed_id
    WHERE s.position > w.sends_from ORDER BY s.position";

/// How attempts ended in a stretch.
pub(super) async fn ended(pool: &PgPool, Stretch { after, until }: Stretch) -> Result<Vec<EndedAttempt>, sqlx::Error> {
    sqlx::query_as(ENDED).bind(after).bind(until).fetch_all(pool).await
}

const DELETED: &str = "
    SELECT aggregate_id::uuid FROM events
    WHERE position > $1 AND position <= $2 AND event_type = 'ProjectDeleted'";

/// The projects that were deleted in a stretch.
pub(super) async fn deleted(pool: &PgPool, Stretch { after, until }: Stretch) -> Result<Vec<ProjectId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(DELETED).bind(after).bind(until).fetch_all(pool).await?;
    Ok(ids.into_iter().map(ProjectId).collect())
}
