//! Moments of a feed: their places, positions and times.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

/// An event of a feed, as a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct Place {
    /// Its place in the feed.
    pub seq: i64,
    /// Its position in the log.
    pub position: i64,
    /// When it was recorded.
    pub time: OffsetDateTime,
}

const SELECT: &str = "SELECT feed_seq AS seq, position, recorded_at AS time FROM events WHERE feed_id = $1";

/// The last event of a feed.
pub async fn last(pool: &PgPool, feed_id: Uuid) -> Result<Option<Place>, sqlx::Error> {
    let statement = format!("{SELECT} ORDER BY feed_seq DESC LIMIT 1");
    sqlx::query_as(&statement).bind(feed_id).fetch_optional(pool).await
}

/// The event at a place of a feed.
pub async fn of_seq(pool: &PgPool, feed_id: Uuid, seq: i64) -> Result<Option<Place>, sqlx::Error> {
    let statement = format!("{SELECT} AND feed_seq = $2");
    sqlx::query_as(&statement).bind(feed_id).bind(seq).fetch_optional(pool).await
}

/// The last event of a feed that was recorded at this time or before.
pub async fn of_time(pool: &PgPool, feed_id: Uuid, at: OffsetDateTime) -> Result<Option<Place>, sqlx::Error> {
    let statement = format!("{SELECT} AND feed_seq = (SELECT feed_place_at($1, $2 + interval '1 microsecond') - 1)");
    sqlx::query_as(&statement).bind(feed_id).bind(at).fetch_optional(pool).await
}

/// Whether a time lies ahead of the clock by which events are recorded.
pub async fn is_ahead(pool: &PgPool, at: OffsetDateTime) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT $1 > clock_timestamp()").bind(at).fetch_one(pool).await
}
