//! Create a project, with the caller as its first owner.

use std::sync::Arc;

use uuid::Uuid;
use workroom_domain::account::refusal::ACCOUNT_ERASED;
use workroom_domain::{
    access::{OrganizationAction, Role},
    account::Account,
    ids::{AccountId, OrganizationId, ProjectId},
    membership::{Membership, MembershipCommand},
    organization::Organization,
    organization_projects::{OrganizationProjects, OrganizationProjectsCommand},
    project::{Project, ProjectCommand, ProjectFields},
};
use workroom_projections::accounts::{self, AccountRow};

use crate::application::codes::NOT_A_MEMBER;
use crate::{
    application::{Command, Error, Unit, organizations, people::AccountRef},
    event_store::Versioned,
};

/// Create a project, with the caller as its first owner.
#[derive(Clone, Debug)]
pub struct CreateProject {
    /// The new project's id.
    pub project_id: ProjectId,
    /// The organization to create it in; the caller's personal one when not given.
    pub organization_id: Option<OrganizationId>,
    /// The project's fields, but for the lead.
    pub fields: ProjectFields,
    /// Who leads it.
    pub team_lead: Option<AccountRef>,
    /// Who else belongs to it from the beginning, as collaborators.
    pub team_members: Vec<AccountRef>,
}

/// A project was created.
#[derive(Clone, Debug)]
pub struct CreatedProject {
    /// The new project's id, as the command gave it.
    pub project_id: ProjectId,
    /// The organization it lives in.
    pub organization_id: OrganizationId,
    /// The project's fields, with the account that leads it.
    pub fields: ProjectFields,
    /// Its first owner.
    pub owner: AccountRow,
    /// How many belong to it.
    pub member_count: usize,
    /// Sequence of its last event.
    pub version: i64,
}

impl Command for CreateProject {
    type Reply = CreatedProject;

    fn lock_key(&self) -> Option<Uuid> {
        self.organization_id.map(Into::into)
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<CreatedProject, Error> {
        let account_id = unit.context().account()?;
        // An account that is being erased creates nothing: the append is guarded by this.
        unit.read::<Account>(account_id).await?.state.active()?;
        let owner = accounts::find(unit.pool(), account_id.into()).await?.ok_or(ACCOUNT_ERASED)?;
        let (organization_id, organization) = self.organization(unit, &owner).await?;
        let lead = match &self.team_lead {
            Some(lead) => Some(belonging(unit, &organization, lead, "/team_lead").await?),
            None => None,
        };
        let mut team = Vec::new();
        for (index, member) in self.team_members.iter().enumerate() {
            team.push(belonging(unit, &organization, member, &format!("/team_members/{index}")).await?);
        }
        let fields = ProjectFields { team_lead: lead, ..self.fields.clone() };
        let create = ProjectCommand::Create { organization_id, fields: fields.clone() };
        let project = unit.decide::<Project>(&Unit::new_aggregate(self.project_id), create)?;
        if !organization.state.active()?.is_personal {
            // Whoever deletes the organization at the same time is guarded by this.
            let projects = unit.read::<OrganizationProjects>(organization_id).await?;
            let add = OrganizationProjectsCommand::Add { organization_id, project_id: self.project_id };
            unit.decide(&projects, add)?;
        }
        let create = MembershipCommand::Create { owner: account_id };
        let mut membership = unit.decide::<Membership>(&Unit::new_aggregate(self.project_id), create)?;
        for account_id in lead.into_iter().chain(team) {
            // The lead may be named among the team again, and so may the creator.
            if membership.state.role_of(account_id).is_none() {
                let add = MembershipCommand::Add { account_id, role: Role::Collaborator };
                membership = unit.decide(&membership, add)?;
            }
        }
        let member_count = membership.state.members().len();
        let (project_id, version) = (self.project_id, project.sequence);
        Ok(CreatedProject { project_id, organization_id, fields, owner, member_count, version })
    }
}

impl CreateProject {
    async fn organization(
        &self,
        unit: &mut Unit<'_>,
        owner: &AccountRow,
    ) -> Result<(OrganizationId, Arc<Versioned<Organization>>), Error> {
        let personal = OrganizationId(owner.personal_organization_id);
        let organization_id = self.organization_id.unwrap_or(personal);
        if organization_id == personal {
            let organization = unit.read::<Organization>(organization_id).await?;
            // Accounts of earlier versions have theirs created with their next project.
            if organization.sequence == 0 {
                let create = organizations::personal(personal, AccountId(owner.id))?;
                return Ok((personal, unit.decide(&organization, create)?));
            }
        }
        let action = OrganizationAction::CreateProjects;
        Ok((organization_id, unit.authorize_in_organization(organization_id, action).await?))
    }
}

/// Somebody who belongs to the organization, and may belong to its projects.
async fn belonging(
    unit: &mut Unit<'_>,
    organization: &Versioned<Organization>,
    who: &AccountRef,
    pointer: &str,
) -> Result<AccountId, Error> {
    let account = who.find(unit).await?.map(|account| AccountId(account.id));
    let state = organization.state.active()?;
    account.filter(|id| state.role_of(*id).is_some() && state.allows_in_projects(*id)).ok_or_else(|| {
        let detail = "no member of the organization, other than auditors, has this id or e-mail address";
        Error::invalid(pointer, NOT_A_MEMBER, detail)
    })
}
