//! `GET /projects/{project_id}/state` and `GET /projects/{project_id}/diff`: what a project was at a moment, and what changed
//! between two. Folded from its history by the projections that write the views; see `workroom_projections::state`.

pub mod codes;
pub mod diff;
mod document;
mod fold;
mod model;
mod moment;
mod permit;
mod send;
mod snapshots;
pub mod state;

use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::ids::ProjectId;
use workroom_projections::{log, state::places::Place};
use workroom_proofs::hash::Hash;

use self::{codes::STATE_TOO_LARGE, document::TooLarge};
use super::{State, extract::Caller};
use crate::application::{Error, audit::RecordStateRead};

/// Most bytes of an answer, and of the rows that it is made of.
const MOST: usize = 64 * 1024 * 1024;

/// A moment of a project.
#[derive(Clone, Copy)]
struct Moment {
    project_id: ProjectId,
    place: Place,
    epoch: Uuid,
    feed_root: Option<Hash>,
}

impl From<TooLarge> for Error {
    fn from(_: TooLarge) -> Self {
        STATE_TOO_LARGE.into()
    }
}

/// Insists that the log is still of the epoch that a moment is of: what was folded may be partly of another history otherwise.
async fn insist_on_epoch(pool: &PgPool, moment: &Moment) -> Result<(), Error> {
    if log::epoch(pool).await? == moment.epoch { Ok(()) } else { Err(Error::Overtaken) }
}

/// Notes in the project's history that its members, or former owners, have read it as it was. Nothing is given before that. It
/// writes, and counts so.
async fn record(state: &State, caller: &Caller, moment: &Moment) -> Result<(), Error> {
    caller.take_write()?;
    let command = RecordStateRead { project_id: moment.project_id, as_of: moment.place.seq };
    state.app.run_unseen(&caller.context, &command).await
}
