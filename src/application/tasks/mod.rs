//! Commands on tasks.

mod create;
mod delete;
mod unassign;
mod update;

pub use create::{CreateTask, CreatedTask};
pub use delete::{DeleteTask, DeleteTasks};
pub use unassign::UnassignTask;
pub use update::{UpdateTask, UpdatedTask};

use workroom_domain::{ids::AccountId, membership::Membership};

use super::Error;
use crate::application::codes::NOT_A_MEMBER;

super::error::from_refusals!(workroom_domain::task::TaskRefusal);

/// Only members are given tasks.
fn check_assignee(membership: &Membership, assignee_id: Option<AccountId>) -> Result<(), Error> {
    match assignee_id {
        Some(id) if membership.role_of(id).is_none() => {
            Err(Error::invalid("/assignee_id", NOT_A_MEMBER, "is not a member of the project"))
        }
        _ => Ok(()),
    }
}
