//! Snapshots: shortcuts to an aggregate's state, written out of band. A command never waits for one, a lost one costs
//! only time, and one of another shape than today's code is ignored.

use sqlx::{PgPool, Row};
use tokio::sync::mpsc;
use uuid::Uuid;
use workroom_domain::Decide;

use super::{IncarnationWatch, Versioned};

/// A snapshot is written about every so many events of one aggregate; so a cold load reads few more than this.
pub(super) const EVERY: i64 = 100;

struct Snapshot {
    aggregate_type: &'static str,
    aggregate_id: String,
    sequence: i64,
    shape: i32,
    state: String,
    generation: u64,
}

fn shape<A: Decide>() -> i32 {
    i32::try_from(A::SHAPE).unwrap_or(i32::MAX)
}

/// The task that writes snapshots.
pub(super) struct Snapshots {
    queue: mpsc::Sender<Snapshot>,
}

impl Snapshots {
    pub(super) fn start(pool: PgPool, watch: IncarnationWatch) -> Self {
        let (queue, mut waiting) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Some(snapshot) = waiting.recv().await {
                if let Err(error) = write(&pool, &watch, &snapshot).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a snapshot could not be written");
                }
            }
        });
        Self { queue }
    }

    /// Offers a state that is committed in the incarnation of this generation. When the task is behind, the offer is dropped: another
    /// will come.
    ///
    /// Of what has no events there is nothing to keep: whoever asks for ids at random must leave nothing behind.
    pub(super) fn offer<A: Decide>(&self, versioned: &Versioned<A>, generation: u64) {
        if versioned.sequence == 0 {
            return;
        }
        let Ok(permit) = self.queue.try_reserve() else { return };
        match serde_json::to_string(&versioned.state) {
            Ok(state) => permit.send(Snapshot {
                aggregate_type: A::TYPE,
                aggregate_id: versioned.id.to_string(),
                sequence: versioned.sequence,
                shape: shape::<A>(),
                state,
                generation,
            }),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a state could not be written"),
        }
    }
}

async fn write(pool: &PgPool, watch: &IncarnationWatch, snapshot: &Snapshot) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    // A connection to another server, or to another history, is known as one before it is used. There, what was committed may be lost,
    // and its snapshot would go before the log.
    if watch.generation() != snapshot.generation {
        return Ok(());
    }
    sqlx::query("SELECT save_snapshot($1, $2, $3, $4, $5::json)")
        .bind(snapshot.aggregate_type)
        .bind(&snapshot.aggregate_id)
        .bind(snapshot.sequence)
        .bind(snapshot.shape)
        .bind(&snapshot.state)
        .execute(&mut *connection)
        .await
        .map(drop)
}

/// Finds the snapshot of an aggregate, if one of today's shape is there and reads.
pub(super) async fn find<A: Decide>(pool: &PgPool, id: Uuid) -> Result<Option<Versioned<A>>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT sequence, state::text AS state FROM aggregate_snapshots
         WHERE aggregate_type = $1 AND aggregate_id = $2 AND shape = $3",
    )
    .bind(A::TYPE)
    .bind(id.to_string())
    .bind(shape::<A>())
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let sequence = row.try_get("sequence")?;
    match serde_json::from_str(row.try_get("state")?) {
        Ok(state) => Ok(Some(Versioned { id, state, sequence })),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, aggregate = A::TYPE, %id, "a snapshot is ignored");
            Ok(None)
        }
    }
}
