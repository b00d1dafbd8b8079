//! The part of a webhook that is outside the log.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use workroom_domain::ids::{ProjectId, WebhookId};

/// Where a webhook sends events, and what people say about it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct EndpointFields {
    /// The address.
    pub url: String,
    /// What people say about it; empty where they say nothing.
    pub description: String,
}

impl EndpointFields {
    /// As they are now; none when the webhook is gone.
    pub(super) async fn find(pool: &PgPool, webhook_id: WebhookId) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as("SELECT url, description FROM webhook_endpoints WHERE id = $1")
            .bind(webhook_id.uuid())
            .fetch_optional(pool)
            .await
    }
}

/// Whether any webhook sends events anywhere.
pub(super) async fn is_any(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM webhook_endpoints)").fetch_one(pool).await
}

/// Deletes what is left of the webhooks of projects that are deleted.
pub(super) async fn delete_of_projects(pool: &PgPool, projects: &[ProjectId]) -> Result<(), sqlx::Error> {
    let ids: Vec<_> = projects.iter().map(|project_id| project_id.uuid()).collect();
    sqlx::query("DELETE FROM webhook_endpoints WHERE project_id = ANY($1)").bind(ids).execute(pool).await.map(drop)
}
