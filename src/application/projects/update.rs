//! Change a project's fields.

use uuid::Uuid;
use workroom_domain::{
    access::{self, Action, Role},
    ids::{AccountId, OrganizationId, ProjectId},
    membership::Membership,
    project::{Project, ProjectCommand, ProjectFields, ProjectPatch},
};

use crate::application::codes::{FORBIDDEN, NOT_A_MEMBER};
use crate::application::{Command, Error, IfVersion, Unit, people::AccountRef};

/// Change a project's fields.
#[derive(Clone, Debug)]
pub struct UpdateProject {
    /// The project to change; its edit policy says which members may.
    pub project_id: ProjectId,
    /// The fields to change, but for the lead.
    pub patch: ProjectPatch,
    /// Who leads it from now on; `Some(None)`: nobody.
    pub team_lead: Option<Option<AccountRef>>,
    /// The version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

/// A project as it stands after the change.
#[derive(Clone, Debug)]
pub struct UpdatedProject {
    /// The organization it lives in.
    pub organization_id: OrganizationId,
    /// All fields of the project, also those that did not change.
    pub fields: ProjectFields,
    /// Sequence of its last event.
    pub version: i64,
    /// Whether anything changed.
    pub changed: bool,
    /// The caller's role.
    pub role: Role,
    /// How many belong to it.
    pub member_count: usize,
}

impl Command for UpdateProject {
    type Reply = UpdatedProject;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<UpdatedProject, Error> {
        let (role, membership) = unit.authorize(self.project_id, Action::EditProject).await?;
        let project = unit.read::<Project>(self.project_id).await?;
        let (_, fields) = project.state.active()?;
        let is_lead = fields.team_lead == Some(unit.context().account()?);
        // An organization's admin has an owner's rights whatever the membership says.
        if !access::policy_allows(fields.edit_policy, role, is_lead)
            && unit.authorize(self.project_id, Action::ManageMembers).await.is_err()
        {
            return Err(FORBIDDEN.into());
        }
        self.if_version.check(project.sequence)?;
        let mut patch = self.patch.clone();
        patch.team_lead = match &self.team_lead {
            Some(Some(lead)) => Some(Some(find_lead(unit, &membership.state, lead).await?)),
            Some(None) => Some(None),
            None => None,
        };
        let updated = unit.decide(&project, ProjectCommand::Update(patch))?;
        let before = fields;
        let (organization_id, fields) = updated.state.active()?;
        // Whoever settles who adds members must be able to add them.
        if fields.settles_who_adds_members(before) {
            unit.authorize(self.project_id, Action::ManageMembers).await?;
        }
        Ok(UpdatedProject {
            organization_id,
            fields: fields.clone(),
            version: updated.sequence,
            changed: updated.sequence != project.sequence,
            role,
            member_count: membership.state.members().len(),
        })
    }
}

/// A project is led by one of its owners or collaborators.
async fn find_lead(unit: &mut Unit<'_>, membership: &Membership, who: &AccountRef) -> Result<AccountId, Error> {
    let account = who.find(unit).await?.map(|account| AccountId(account.id));
    account.filter(|id| membership.role_of(*id).is_some_and(|role| role >= Role::Collaborator)).ok_or_else(|| {
        Error::invalid("/team_lead", NOT_A_MEMBER, "no owner or collaborator has this id or e-mail address")
    })
}
