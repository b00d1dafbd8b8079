//! The time by which attempts are due: that of the database. Processes' clocks differ; there is one database.

use sqlx::{PgConnection, Row};
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::roll::WorkerRow;

/// The database's clock, as it was last seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct DatabaseClock {
    at: OffsetDateTime,
    seen: Instant,
}

impl DatabaseClock {
    /// The present moment.
    pub(super) fn now(self) -> OffsetDateTime {
        self.at + self.seen.elapsed()
    }

    /// Asks for the time, and for that of the log's last event: time never runs backwards along the log, but the clock of a server
    /// that has taken over may be behind it.
    pub(super) async fn ask(connection: &mut PgConnection) -> Result<(Self, Option<OffsetDateTime>), sqlx::Error> {
        let both = "SELECT clock_timestamp(), (SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1)";
        let (at, log_at): (OffsetDateTime, Option<OffsetDateTime>) = sqlx::query_as(both).fetch_one(connection).await?;
        Ok((Self { at, seen: Instant::now() }, log_at))
    }
}

/// Asks for the time, and for all workers.
pub(super) async fn look(connection: &mut PgConnection) -> Result<(DatabaseClock, Vec<WorkerRow>), sqlx::Error> {
    let asked = sqlx::query(
        "SELECT c.at, w.id, w.beat, w.sandbox_slots, w.service_slots
         FROM (SELECT clock_timestamp() AS at) AS c LEFT JOIN workers w ON true",
    );
    let rows = asked.fetch_all(connection).await?;
    let at = rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get("at")?;
    let clock = DatabaseClock { at, seen: Instant::now() };
    let mut workers = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(id) = row.try_get::<Option<Uuid>, _>("id")? else { continue };
        workers.push(WorkerRow {
            id,
            beat: row.try_get("beat")?,
            sandbox_slots: row.try_get("sandbox_slots")?,
            service_slots: row.try_get("service_slots")?,
        });
    }
    Ok((clock, workers))
}
