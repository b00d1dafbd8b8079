//! The table `webhook_messages`.

use sqlx::PgPool;
use workroom_credentials::webhook::signature::MessageId;

/// Whether a message was taken in before.
pub(super) async fn is_known(pool: &PgPool, id: &MessageId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM webhook_messages WHERE id = $1)")
        .bind(id.as_str())
        .fetch_one(pool)
        .await
}

/// Notes that a message was taken in.
pub(super) async fn note(pool: &PgPool, id: &MessageId) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO webhook_messages (id) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(id.as_str())
        .execute(pool)
        .await
        .map(drop)
}
