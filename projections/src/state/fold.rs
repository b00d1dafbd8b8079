//! Folding a feed into tables in memory.

use std::sync::LazyLock;

use sqlx::{PgPool, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::tables::KEPT;
use crate::{
    Projection,
    changes::{Changes, Memory, Unkept},
    groups,
    log::{LogError, LogReader},
};

/// The events of a page, at most.
const PAGE: i64 = 1000;
/// Bytes of the payloads of a page beyond which no further event is read.
const PAGE_BYTES: i64 = 4 * 1024 * 1024;

/// A feed cannot be folded.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What the events change cannot be carried out, or comes to too much.
    #[error(transparent)]
    Unkept(#[from] Unkept),
    /// A place of the feed is missing.
    #[error("the feed has a hole: place {found} follows {after}")]
    Hole {
        /// The last place before the hole.
        after: i64,
        /// The first one behind it.
        found: i64,
    },
}

impl From<sqlx::Error> for FoldError {
    fn from(error: sqlx::Error) -> Self {
        Self::Log(error.into())
    }
}

/// What folds: the projections, and how their events are decoded.
struct Folder {
    reader: LogReader,
    projections: Vec<Box<dyn Projection>>,
    wanted: Vec<&'static str>,
}

/// The same for all folds.
static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let writes = |projection: &dyn Projection| {
        projection.tables().iter().any(|table| KEPT.iter().any(|kept| kept.table == table.name()))
    };
    let projections = groups().into_iter().flat_map(|group| group.projections);
    let projections: Vec<_> = projections.filter(|projection| writes(&**projection)).collect();
    let mut wanted: Vec<_> = projections.iter().flat_map(|projection| projection.reads()).copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    Folder { reader: LogReader::new(wanted.clone()), projections, wanted }
});

/// The types of the aggregates whose events folds read.
pub fn wanted() -> &'static [&'static str] {
    &FOLDER.wanted
}

/// A project's state at a place of its feed.
pub struct Fold {
    /// Its tables.
    pub memory: Memory,
    /// The place of the last event that is in it; 0 before the first.
    pub seq: i64,
}

impl Fold {
    /// Nothing has happened. The rows take so many bytes at most.
    pub fn empty(most: usize) -> Self {
        Self::at(0, Memory::new(KEPT, most))
    }

    /// The state at a place.
    pub(super) fn at(seq: i64, memory: Memory) -> Self {
        Self { memory, seq }
    }

    /// Folds the events of a page, which follow those that are in it. It takes a processor for some milliseconds.
    ///
    /// # Errors
    /// See [`FoldError`]; the fold is of no use then.
    pub fn apply(&mut self, page: &[PgRow]) -> Result<(), FoldError> {
        let mut changes = Changes::default();
        for row in page {
            let seq: i64 = row.try_get("feed_seq")?;
            if seq != self.seq + 1 {
                return Err(FoldError::Hole { after: self.seq, found: seq });
            }
            self.seq = seq;
            let entry = FOLDER.reader.decode(row)?;
            let Some(recorded) = entry.recorded else { continue };
            for projection in &FOLDER.projections {
                projection.apply(&recorded, &mut changes);
            }
        }
        Ok(self.memory.apply(changes)?)
    }
}

/// The events of a feed behind a place, up to another: a page of them, bounded in bytes. At least one, if there is one.
pub async fn page(
    pool: &PgPool,
    feed_id: Uuid,
    (after, until): (i64, i64),
    wanted: &[&'static str],
) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::query(
        "SELECT position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type, event_version,
                recorded_at,
                CASE WHEN aggregate_type = ANY($4) THEN payload::text END AS payload,
                CASE WHEN aggregate_type = ANY($4) THEN metadata::text END AS metadata
         FROM (SELECT *, sum(octet_length(payload::text)) OVER (ORDER BY feed_seq) - octet_length(payload::text)
                         AS bytes_before
               FROM (SELECT * FROM events WHERE feed_id = $1 AND feed_seq > $2 AND feed_seq <= $3
                     ORDER BY feed_seq LIMIT $5) AS page) AS measured
         WHERE bytes_before < $6 ORDER BY feed_seq",
    )
    .bind(feed_id)
    .bind(after)
    .bind(until)
    .bind(wanted)
    .bind(PAGE)
    .bind(PAGE_BYTES)
    .fetch_all(pool)
    .await
}
