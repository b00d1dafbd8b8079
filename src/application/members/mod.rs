//! Commands on a project's members.

mod add;
mod change_role;
mod remove;
mod remove_outsider;

pub use add::{AddMember, AddedMember};
pub use change_role::ChangeMemberRole;
pub use remove::RemoveMember;
pub use remove_outsider::RemoveOutsider;

use std::sync::Arc;

use workroom_domain::{
    access::{Action, Role},
    ids::{AccountId, ProjectId},
    membership::Membership,
    organization::Organization,
    project::{Project, ProjectCommand, ProjectPatch},
};

use super::{Error, Unit};
use crate::application::codes::{FORBIDDEN, NOT_A_MEMBER};
use crate::event_store::Versioned;
use workroom_domain::refusal::Kind;

super::error::from_refusals!(workroom_domain::membership::MembershipRefusal);

/// The membership of a project to which the caller may add somebody in a role: with the right to manage members, or as a lead who
/// may add members, other than owners. The append is guarded by that.
pub(super) async fn authorize_to_add(
    unit: &mut Unit<'_>,
    project_id: ProjectId,
    role: Role,
) -> Result<Arc<Versioned<Membership>>, Error> {
    match unit.authorize(project_id, Action::ManageMembers).await {
        Ok((_, membership)) => Ok(membership),
        Err(error) if error.kind() == Kind::Forbidden && role != Role::Owner => {
            let project = unit.read::<Project>(project_id).await?;
            if !project.state.lead_adds_members(unit.context().account()?) {
                return Err(FORBIDDEN.into());
            }
            Ok(unit.read::<Membership>(project_id).await?)
        }
        Err(error) => Err(error),
    }
}

/// Insists that somebody may belong to a project: as a member of its organization who is no auditor, or because that
/// takes guests. The append is guarded by that.
pub(super) async fn require_belonging(
    unit: &mut Unit<'_>,
    project_id: ProjectId,
    account_id: Option<AccountId>,
) -> Result<(), Error> {
    let project = unit.read::<Project>(project_id).await?;
    let (organization_id, _) = project.state.active()?;
    let organization = unit.read::<Organization>(organization_id).await?;
    let state = organization.state.active()?;
    match account_id {
        Some(account_id) if state.allows_in_projects(account_id) => Ok(()),
        None if state.allows_guests() => Ok(()),
        Some(account_id) if state.role_of(account_id).is_some() => {
            let detail = "belongs to an auditor of the project's organization, who belongs to none of its projects";
            Err(Error::invalid("/email", NOT_A_MEMBER, detail))
        }
        _ => Err(Error::invalid(
            "/email",
            NOT_A_MEMBER,
            "belongs to no member of the project's organization, which takes no guests",
        )),
    }
}

/// Whoever may no longer lead a project does not lead it. To be decided before the membership: the event's actor may be the
/// one who goes.
pub(super) async fn unlead(unit: &mut Unit<'_>, project_id: ProjectId, account_id: AccountId) -> Result<(), Error> {
    let project = unit.read::<Project>(project_id).await?;
    if project.state.active().is_ok_and(|(_, fields)| fields.team_lead == Some(account_id)) {
        let patch = ProjectPatch { team_lead: Some(None), ..ProjectPatch::default() };
        unit.decide(&project, ProjectCommand::Update(patch))?;
    }
    Ok(())
}
