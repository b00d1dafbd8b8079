//! States that are kept, so that a reading begins near the moment that it is of.
//!
//! They stand at the multiples of a number of events, which doubles as the history grows: a project has a bounded number of them,
//! and, where it is large, fewer. A missing one costs time alone.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::{
    fold::Fold,
    tables::{KEPT, shape},
};
use crate::changes::Memory;

/// The fewest events between two of them.
const NEAREST: i64 = 1024;
/// The most of a project.
const MOST: i64 = 1024;
/// The fewest that a large project is given.
const FEWEST: i64 = 4;
/// Bytes of all of a project, while it has more than the fewest.
const BYTES: i64 = 256 * 1024 * 1024;

/// How many events lie between two of them, in a history of so many events whose state takes so many bytes.
pub fn spacing(head: i64, bytes: i64) -> i64 {
    let most = (BYTES / bytes.max(1)).clamp(FEWEST, MOST);
    let mut spacing = NEAREST;
    while head / spacing > most {
        spacing *= 2;
    }
    spacing
}

/// The latest of a project.
#[derive(Clone, Copy, Debug, Default, FromRow)]
pub struct Latest {
    /// Its place in the feed.
    pub seq: i64,
    /// How many bytes it has.
    pub bytes: i32,
}

impl Latest {
    /// Whether another one is due, in a history that has come so far.
    pub fn is_old(self, head: i64) -> bool {
        head - self.seq >= spacing(head, self.bytes.into())
    }
}

/// The latest of a project, of the log's epoch.
pub async fn latest(pool: &PgPool, project_id: Uuid, epoch: Uuid) -> Result<Latest, sqlx::Error> {
    let found = sqlx::query_as(
        "SELECT seq, bytes FROM project_states WHERE project_id = $1 AND shape = $2 AND epoch = $3
         ORDER BY seq DESC LIMIT 1",
    );
    let found = found.bind(project_id).bind(shape()).bind(epoch).fetch_optional(pool).await?;
    Ok(found.unwrap_or_default())
}

/// A state that is kept: its place, and its bytes.
#[derive(Clone, Debug, FromRow)]
pub struct Snapshot {
    seq: i64,
    state: Vec<u8>,
}

impl Snapshot {
    /// The state; none where the bytes are no state, or one that takes more bytes than it may. It takes a processor for some
    /// milliseconds.
    pub fn into_fold(self, most: usize) -> Option<Fold> {
        Some(Fold::at(self.seq, Memory::decode(KEPT, most, &self.state)?))
    }
}

/// The last state that is kept, at or before a place.
pub async fn nearest(
    pool: &PgPool,
    project_id: Uuid,
    epoch: Uuid,
    until: i64,
) -> Result<Option<Snapshot>, sqlx::Error> {
    sqlx::query_as(
        "SELECT seq, state FROM project_states WHERE project_id = $1 AND shape = $2 AND epoch = $3 AND seq <= $4
         ORDER BY seq DESC LIMIT 1",
    )
    .bind(project_id)
    .bind(shape())
    .bind(epoch)
    .bind(until)
    .fetch_optional(pool)
    .await
}

/// Keeps a state, which was folded from what the log said when its feed ended at `since`; `false` where something of that was
/// redacted meanwhile, or the project was deleted.
pub async fn save(
    pool: &PgPool,
    project_id: Uuid,
    epoch: Uuid,
    since: i64,
    (seq, state): (i64, Vec<u8>),
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT save_project_state($1, $2, $3, $4, $5, $6, $7)")
        .bind(project_id)
        .bind(seq)
        .bind(since)
        .bind(shape())
        .bind(epoch)
        .bind(i32::try_from(state.len()).unwrap_or(i32::MAX))
        .bind(state)
        .fetch_one(pool)
        .await
}

/// Whether a project was deleted: none of its states is to be kept.
pub async fn is_deleted(pool: &PgPool, project_id: Uuid) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar("SELECT EXISTS (SELECT FROM views.projects WHERE id = $1 AND deleted)");
    found.bind(project_id).fetch_one(pool).await
}

/// Deletes those of a project that lie nearer to each other than they should, but for the latest; those of another epoch; and old
/// ones of another shape: while a new version takes the place of another, both read.
pub async fn thin(pool: &PgPool, project_id: Uuid, epoch: Uuid, spacing: i64) -> Result<(), sqlx::Error> {
    let thinned = sqlx::query(
        "DELETE FROM project_states
         WHERE project_id = $1
           AND (epoch <> $4
                OR (shape <> $3 AND made_at < now() - interval '1 day')
                OR (shape = $3 AND seq % $2 <> 0
                    AND seq < (SELECT max(s.seq) FROM project_states s
                               WHERE s.project_id = $1 AND s.shape = $3 AND s.epoch = $4)))",
    );
    thinned.bind(project_id).bind(spacing).bind(shape()).bind(epoch).execute(pool).await.map(drop)
}

/// Forgets those of a project that have an event in them, and those that are being made: whatever that event said is to be
/// forgotten. In the transaction in which it is.
pub async fn forget(executor: impl sqlx::PgExecutor<'_>, project_id: Uuid, from_seq: i64) -> Result<(), sqlx::Error> {
    let forgotten = sqlx::query("SELECT forget_project_states($1, $2)").bind(project_id).bind(from_seq);
    forgotten.execute(executor).await.map(drop)
}
