//! Folding, so that the threads that answer requests are not held: each page is decoded and folded on one of those that may block.

use std::sync::Arc;

use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::ids::ProjectId;
use workroom_projections::{
    changes::Unkept,
    log::LogError,
    state::{self, Fold, FoldError, snapshots},
};

use super::{
    MOST,
    codes::STATE_TOO_LARGE,
    permit::{Permit, blocking},
};
use crate::application::Error;

fn refused(error: FoldError) -> Error {
    match error {
        FoldError::Unkept(Unkept::TooLarge { .. }) => STATE_TOO_LARGE.into(),
        FoldError::Log(LogError::Database(error)) => error.into(),
        error => Error::failure(error),
    }
}

/// The last state of a project that is kept, at or before a place, or that before its first event.
///
/// # Errors
/// The database's.
pub(super) async fn nearest(
    pool: &PgPool,
    project_id: ProjectId,
    epoch: Uuid,
    until: i64,
    permit: &Arc<Permit>,
) -> Result<Fold, Error> {
    let Some(kept) = snapshots::nearest(pool, project_id.into(), epoch, until).await? else {
        return Ok(Fold::empty(MOST));
    };
    let fold = blocking(permit, move || kept.into_fold(MOST)).await?;
    Ok(fold.unwrap_or_else(|| Fold::empty(MOST)))
}

/// Folds a project's history on, up to a place that it has.
///
/// # Errors
/// The database's; the state is too large.
pub(super) async fn fold_to(
    pool: &PgPool,
    project_id: ProjectId,
    mut fold: Fold,
    until: i64,
    permit: &Arc<Permit>,
) -> Result<Fold, Error> {
    while fold.seq < until {
        let page = state::page(pool, project_id.into(), (fold.seq, until), state::wanted()).await?;
        if page.is_empty() {
            return Err(refused(FoldError::Hole { after: fold.seq, found: until }));
        }
        fold = blocking(permit, move || fold.apply(&page).map(|()| fold)).await?.map_err(refused)?;
    }
    Ok(fold)
}
