//! Who caused an event, and when: what the log tells of a thing beyond its state, whether a view shows it yet or not.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

/// Who caused an event, and when it was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct Cause {
    /// The account; nil for a part of the service.
    pub by: Uuid,
    /// When it was decided: `occurred_at` of the metadata, not the time at which the log recorded it.
    pub at: OffsetDateTime,
}

const CAUSE: &str = "SELECT CASE WHEN starts_with(metadata->>'actor', 'account:')
                 THEN substr(metadata->>'actor', length('account:') + 1)::uuid
                 ELSE '00000000-0000-0000-0000-000000000000'::uuid END AS by,
            (metadata->>'occurred_at')::timestamptz AS at";

/// The cause of an aggregate's event.
pub async fn cause(
    pool: &PgPool,
    aggregate_type: &str,
    aggregate_id: Uuid,
    sequence: i64,
) -> Result<Option<Cause>, sqlx::Error> {
    let statement = format!("{CAUSE} FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3");
    sqlx::query_as(&statement)
        .bind(aggregate_type)
        .bind(aggregate_id.to_string())
        .bind(sequence)
        .fetch_optional(pool)
        .await
}

/// Which events of an aggregate.
#[derive(Clone, Copy, Debug)]
pub struct Which<'a> {
    /// The aggregate's type.
    pub aggregate_type: &'a str,
    /// The aggregate's id.
    pub aggregate_id: Uuid,
    /// Of these types.
    pub event_types: &'a [&'a str],
    /// Whose payload names this id under this field.
    pub naming: Option<(&'a str, Uuid)>,
}

/// The cause of the last of an aggregate's events that are of some kind, if it is among its last 200: how much is
/// read does not depend on how long the history is.
pub async fn last_cause(pool: &PgPool, which: Which<'_>) -> Result<Option<Cause>, sqlx::Error> {
    let Which { aggregate_type, aggregate_id, event_types, naming } = which;
    let statement = format!(
        "{CAUSE} FROM (SELECT sequence, event_type, payload, metadata FROM events
                       WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY sequence DESC LIMIT 200) recent
         WHERE event_type = ANY($3) AND ($4::text IS NULL OR payload->>$4 = $5) ORDER BY sequence DESC LIMIT 1"
    );
    sqlx::query_as(&statement)
        .bind(aggregate_type)
        .bind(aggregate_id.to_string())
        .bind(event_types)
        .bind(naming.map(|(field, _)| field))
        .bind(naming.map(|(_, id)| id.to_string()))
        .fetch_optional(pool)
        .await
}
