//! Questions about a feed's history.

use serde_json::value::RawValue;
use sqlx::{PgPool, Postgres, QueryBuilder, types::Json};
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::recent::StoredEvent;

/// An event as auditors and subscribers see it.
#[derive(Clone, Debug, FromRow)]
pub struct EventRow {
    /// Its place in the whole log.
    pub position: i64,
    /// Id of the event, unique in the whole log.
    pub event_id: Uuid,
    /// The feed it belongs to.
    pub feed_id: Uuid,
    /// Its place in the feed.
    pub feed_seq: i64,
    /// What kind of thing it happened to.
    pub aggregate_type: String,
    /// What it happened to.
    pub aggregate_id: String,
    /// Its place in the aggregate's stream.
    pub sequence: i64,
    /// Name of the event, such as `ProjectCreated`.
    pub event_type: String,
    /// Version of the stored form.
    pub event_version: String,
    /// The event's content, the stored bytes.
    pub payload: Json<Box<RawValue>>,
    /// Who, when, why.
    pub metadata: Json<std::collections::HashMap<String, String>>,
    /// When the log recorded it.
    pub recorded_at: OffsetDateTime,
}

impl EventRow {
    /// From what this process has just written.
    ///
    /// # Errors
    /// Payload or metadata that are no JSON, which the log would not have taken.
    pub fn from_stored(stored: &StoredEvent) -> Result<Self, serde_json::Error> {
        Ok(Self {
            position: stored.position,
            event_id: stored.event_id,
            feed_id: stored.feed_id,
            feed_seq: stored.feed_seq,
            aggregate_type: stored.aggregate_type.to_owned(),
            aggregate_id: stored.aggregate_id.to_string(),
            sequence: stored.sequence,
            event_type: stored.event_type.clone(),
            event_version: stored.event_version.clone(),
            payload: Json(RawValue::from_string(stored.payload.clone())?),
            metadata: Json(serde_json::from_str(&stored.metadata)?),
            recorded_at: stored.recorded_at,
        })
    }
}

const SELECT: &str = "SELECT position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence,
    event_type, event_version, payload, metadata, recorded_at FROM events WHERE ";

/// Narrows a history.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only events behind this place in the feed.
    pub after: Option<i64>,
    /// Only events before this place in the feed.
    pub before: Option<i64>,
    /// Only events of this type.
    pub event_type: Option<String>,
    /// Only events that this actor caused, in the form of the metadata (`account:<uuid>`).
    pub actor: Option<String>,
    /// Only events recorded at this time or later.
    pub from: Option<OffsetDateTime>,
    /// Only events recorded before this time.
    pub to: Option<OffsetDateTime>,
    /// How many events are passed over first.
    pub skip: i64,
}

/// What the index on types begins with: a hash of feed and type. See `migrations/0015_history_indexes.sql`.
const TYPE_KEY: &str = "uuid_hash_extended(feed_id, hashtextextended(event_type, 0))";

/// What the index on actors begins with: a hash of feed and actor.
const ACTOR_KEY: &str = "uuid_hash_extended(feed_id, hashtextextended(metadata->>'actor', 0))";

/// A feed's events in order, at most `limit`. However a history is narrowed, no more of it is read than is found.
pub async fn list(pool: &PgPool, feed_id: Uuid, filter: &Filter, limit: i64) -> Result<Vec<EventRow>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new("");
    match (&filter.actor, &filter.event_type) {
        (None, None) => {
            query.push(SELECT).push("feed_id = ").push_bind(feed_id);
        }
        (None, Some(event_type)) => {
            query.push(SELECT);
            equals_hash(&mut query, TYPE_KEY, feed_id, event_type);
            query.push(" AND event_type IS NOT DISTINCT FROM ").push_bind(event_type.clone());
        }
        (Some(actor), Some(event_type)) => {
            query.push(SELECT);
            by_actor(&mut query, feed_id, actor);
            query.push(" AND event_type = ").push_bind(event_type.clone());
        }
        (Some(actor), None) => {
            // The index has what an actor did in order for each type: so it is merged from all their types, and those are
            // found by going from one to the next.
            let step = |query: &mut QueryBuilder<'_, Postgres>, behind: &str| {
                query.push("SELECT event_type FROM events WHERE ");
                equals_hash(query, ACTOR_KEY, feed_id, actor);
                query.push(behind).push(" ORDER BY event_type LIMIT 1");
            };
            query.push("WITH RECURSIVE kinds AS ((");
            step(&mut query, "");
            query.push(") UNION ALL SELECT (");
            step(&mut query, " AND event_type > k.event_type");
            query.push(") FROM kinds k WHERE k.event_type IS NOT NULL) ");
            query.push("SELECT found.* FROM kinds k CROSS JOIN LATERAL (").push(SELECT);
            by_actor(&mut query, feed_id, actor);
            query.push(" AND event_type = k.event_type");
            within(&mut query, feed_id, filter);
            query.push(" ORDER BY feed_seq LIMIT ").push_bind(filter.skip.saturating_add(limit));
            query.push(") found WHERE k.event_type IS NOT NULL ORDER BY feed_seq LIMIT ").push_bind(limit);
            query.push(" OFFSET ").push_bind(filter.skip);
            return query.build_query_as().fetch_all(pool).await;
        }
    }
    within(&mut query, feed_id, filter);
    query.push(" ORDER BY feed_seq LIMIT ").push_bind(limit).push(" OFFSET ").push_bind(filter.skip);
    query.build_query_as().fetch_all(pool).await
}

fn equals_hash(query: &mut QueryBuilder<'_, Postgres>, key: &str, feed_id: Uuid, value: &str) {
    query.push(format!("{key} = uuid_hash_extended(")).push_bind(feed_id);
    query.push(", hashtextextended(").push_bind(value.to_owned()).push(", 0))");
}

/// What an actor did in a feed. Hashes may collide, so both are compared as well: in a form that no index takes, for an index
/// on the feed alone would have to read past what others did.
fn by_actor(query: &mut QueryBuilder<'_, Postgres>, feed_id: Uuid, actor: &str) {
    equals_hash(query, ACTOR_KEY, feed_id, actor);
    query.push(" AND metadata->>'actor' IS NOT DISTINCT FROM ").push_bind(actor.to_owned());
}

/// Narrows by place and time. Both grow along a feed, so a time stands for a place, which the index knows.
fn within(query: &mut QueryBuilder<'_, Postgres>, feed_id: Uuid, filter: &Filter) {
    if filter.actor.is_some() || filter.event_type.is_some() {
        query.push(" AND feed_id IS NOT DISTINCT FROM ").push_bind(feed_id);
    }
    if let Some(after) = filter.after {
        query.push(" AND feed_seq > ").push_bind(after);
    }
    if let Some(before) = filter.before {
        query.push(" AND feed_seq < ").push_bind(before);
    }
    for (bound, relation) in [(filter.from, ">="), (filter.to, "<")] {
        if let Some(at) = bound {
            query.push(format!(" AND recorded_at {relation} ")).push_bind(at);
            query.push(format!(" AND feed_seq {relation} (SELECT feed_place_at(")).push_bind(feed_id);
            query.push(", ").push_bind(at).push("))");
        }
    }
}

/// The event at a place of a feed; none where the feed has not come so far.
pub async fn find(pool: &PgPool, feed_id: Uuid, seq: i64) -> Result<Option<EventRow>, sqlx::Error> {
    QueryBuilder::<Postgres>::new(SELECT)
        .push("feed_id = ")
        .push_bind(feed_id)
        .push(" AND feed_seq = ")
        .push_bind(seq)
        .build_query_as()
        .fetch_optional(pool)
        .await
}

/// The whole log's events behind `after`, in order of position.
pub async fn log_since(pool: &PgPool, after: i64, limit: i64) -> Result<Vec<EventRow>, sqlx::Error> {
    QueryBuilder::<Postgres>::new(SELECT)
        .push("position > ")
        .push_bind(after)
        .push(" ORDER BY position LIMIT ")
        .push_bind(limit)
        .build_query_as()
        .fetch_all(pool)
        .await
}

/// A feed's events behind `after`, in order.
pub async fn since(pool: &PgPool, feed_id: Uuid, after: i64, limit: i64) -> Result<Vec<EventRow>, sqlx::Error> {
    list(pool, feed_id, &Filter { after: Some(after), ..Filter::default() }, limit).await
}

/// A feed's events behind `after`, in order: at most so many, and no more of them than it takes to come to so many bytes of data.
/// At least one, if there is one.
pub async fn portion(
    pool: &PgPool,
    feed_id: Uuid,
    after: i64,
    limit: i64,
    bytes: i64,
) -> Result<Vec<EventRow>, sqlx::Error> {
    QueryBuilder::<Postgres>::new(
        "SELECT position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
            metadata, recorded_at
         FROM (SELECT *, sum(octet_length(payload::text)) OVER (ORDER BY feed_seq) - octet_length(payload::text) AS bytes_before
               FROM (SELECT * FROM events WHERE feed_id = ",
    )
    .push_bind(feed_id)
    .push(" AND feed_seq > ")
    .push_bind(after)
    .push(" ORDER BY feed_seq LIMIT ")
    .push_bind(limit)
    .push(") AS page) AS measured WHERE bytes_before < ")
    .push_bind(bytes)
    .push(" ORDER BY feed_seq")
    .build_query_as()
    .fetch_all(pool)
    .await
}

/// The place of a feed's last event; 0 for a feed without any.
pub async fn feed_head(pool: &PgPool, feed_id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT COALESCE((SELECT feed_seq FROM events WHERE feed_id = $1 ORDER BY feed_seq DESC LIMIT 1), 0)",
    )
    .bind(feed_id)
    .fetch_one(pool)
    .await
}
