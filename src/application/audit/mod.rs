//! Auditors are audited: who was handed a history, or read a project as it was, is in the feed that it is of. Who was handed the whole
//! log is in a feed of its own, whose id is that of the log.
//!
//! Such a note depends on nothing but the right of its author, so two of them never stand in each other's way.

mod export;
mod state;

pub use export::{AuditedFeed, RecordExport};
pub use state::RecordStateRead;

use workroom_domain::{
    access::{Action, Decision, decide_to_audit},
    ids::{OrganizationId, ProjectId},
    organization::Organization,
};

use super::{Error, Unit, reading::admit};
use crate::application::codes::FORBIDDEN;

/// Insists that the caller may read the whole history of a project: as a member, or as an admin or auditor of its
/// organization; of a deleted project, as an owner of then, or as one of the latter. The append is guarded by that.
async fn authorize_in_project(unit: &mut Unit<'_>, project_id: ProjectId) -> Result<(), Error> {
    let account_id = unit.context().account()?;
    let relation = unit.relation_or_former(account_id, project_id, Action::ViewHistory).await?;
    admit(relation, Action::ViewHistory)?;
    // Visitors see that something happened, but not what: that is no history to hand over.
    if relation.reads_whole_history() { Ok(()) } else { Err(FORBIDDEN.into()) }
}

/// Insists that the caller may read the whole history of an organization and of all its projects. The append is guarded
/// by that.
async fn authorize_in_organization(unit: &mut Unit<'_>, organization_id: OrganizationId) -> Result<(), Error> {
    let account_id = unit.context().account()?;
    let organization = unit.read::<Organization>(organization_id).await?;
    match decide_to_audit(account_id, &organization.state) {
        Decision::Allowed => Ok(()),
        Decision::Forbidden => Err(FORBIDDEN.into()),
        Decision::Hidden => Err(Error::not_found("organization")),
    }
}
