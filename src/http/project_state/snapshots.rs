//! Keeps states on the way, out of band: no request waits for it.

use sqlx::PgPool;
use tokio::sync::Semaphore;
use uuid::Uuid;
use workroom_domain::ids::ProjectId;
use workroom_projections::{
    log,
    state::{places, snapshots},
};

use super::{
    codes::STATE_TOO_LARGE,
    fold::{fold_to, nearest},
    permit::{Permit, blocking},
};
use crate::application::Error;

/// One project at a time, in this process.
static MAKING: Semaphore = Semaphore::const_new(1);

/// Begins to keep states of a project whose latest one is old, unless those of another are being made.
pub(super) fn begin_where_due(pool: &PgPool, project_id: ProjectId, latest: snapshots::Latest, head: i64) {
    if !latest.is_old(head) {
        return;
    }
    let Ok(permit) = MAKING.try_acquire() else { return };
    let pool = pool.clone();
    tokio::spawn(async move {
        let _permit = permit;
        match make(&pool, project_id).await {
            Ok(()) => {}
            // Then it is refused to whoever asks for it, too.
            Err(error) if error.code() == STATE_TOO_LARGE => {}
            Err(error) => {
                tracing::warn!(
                    project_id = %Uuid::from(project_id),
                    error = &error as &dyn std::error::Error,
                    "states of a project could not be kept"
                );
            }
        }
    });
}

/// Keeps the states behind the latest that is kept; of a deleted project none is.
async fn make(pool: &PgPool, project_id: ProjectId) -> Result<(), Error> {
    let id = Uuid::from(project_id);
    if snapshots::is_deleted(pool, id).await? {
        return Ok(());
    }
    let permit = Permit::for_keeping().await?;
    // First of all: what is redacted from now on is none that may be kept.
    let Some(head) = places::last(pool, id).await?.map(|place| place.seq) else { return Ok(()) };
    let epoch = log::epoch(pool).await?;
    let latest = snapshots::latest(pool, id, epoch).await?;
    let mut spacing = snapshots::spacing(head, latest.bytes.into());
    let mut fold = nearest(pool, project_id, epoch, head, &permit).await?;
    loop {
        let next = (fold.seq / spacing + 1) * spacing;
        if next > head {
            return Ok(());
        }
        fold = fold_to(pool, project_id, fold, next, &permit).await?;
        let (state, folded) = blocking(&permit, move || (fold.memory.encode(), fold)).await?;
        fold = folded;
        let bytes = i64::try_from(state.len()).unwrap_or(i64::MAX);
        if !snapshots::save(pool, id, epoch, head, (fold.seq, state)).await? {
            return Ok(());
        }
        // It may have grown.
        spacing = snapshots::spacing(head, bytes).max(spacing);
        snapshots::thin(pool, id, epoch, spacing).await?;
    }
}
