//! Commands on a project's members.

mod add;
mod change_role;
mod remove;

pub use add::{AddMember, AddedMember};
pub use change_role::ChangeMemberRole;
pub use remove::RemoveMember;

use workroom_domain::{
    ids::{AccountId, ProjectId},
    project::{Project, ProjectCommand, ProjectPatch},
};

use super::{Error, Unit};

/// Whoever may no longer lead a project does not lead it. To be decided before the roster: the event's actor may be the
/// one who goes.
pub(super) async fn unlead(unit: &mut Unit<'_>, project_id: ProjectId, account_id: AccountId) -> Result<(), Error> {
    let project = unit.read::<Project>(project_id).await?;
    if project.state.active().is_ok_and(|(_, fields)| fields.team_lead == Some(account_id)) {
        let patch = ProjectPatch { team_lead: Some(None), ..ProjectPatch::default() };
        unit.decide(&project, ProjectCommand::Update(patch))?;
    }
    Ok(())
}
