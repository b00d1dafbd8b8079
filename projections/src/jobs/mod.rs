//! Jobs as their readers see them.

mod controlled;
mod due;
mod place;
mod project;
mod query;

pub use controlled::{Candidate, Controlled, ControlledOf, controlled, count_controlled, newest};
pub use due::{Due, Moment};
pub use place::{Place, place};
pub use project::Jobs;
pub use query::{
    Filter, JobRow, JobStanding, OpenJob, OutputPiece, OutputPlace, Owner, artifact_part, artifact_size, artifacts,
    feeds, find, list, of_owner, open, open_in_deleted, open_of_closed, output, output_behind, standing,
};
