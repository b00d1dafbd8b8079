//! Found a project, with the caller as its first owner.

use uuid::Uuid;
use workroom_domain::{
    account::Account,
    ids::{AccountId, OrganizationId, ProjectId},
    membership::{Membership, MembershipCommand},
    project::{Project, ProjectCommand, ProjectFields},
};
use workroom_projections::accounts::{self, AccountRow};

use crate::application::{Command, Error, Unit};

/// Found a project, with the caller as its first owner.
#[derive(Clone, Debug)]
pub struct CreateProject {
    /// The new project's id.
    pub project_id: ProjectId,
    /// The organization to found it in; the caller's personal one when not given.
    pub organization_id: Option<OrganizationId>,
    /// The project's fields.
    pub fields: ProjectFields,
}

/// A project was founded.
#[derive(Clone, Debug)]
pub struct CreatedProject {
    /// Its id.
    pub project_id: ProjectId,
    /// The organization it lives in.
    pub organization_id: OrganizationId,
    /// Its fields.
    pub fields: ProjectFields,
    /// Its first owner.
    pub owner: AccountRow,
    /// Sequence of its last event.
    pub version: i64,
}

impl Command for CreateProject {
    type Reply = CreatedProject;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<CreatedProject, Error> {
        let account_id = unit.context().account()?;
        // An account that is being erased founds nothing: the append is guarded by this.
        unit.read::<Account>(account_id).await?.state.active()?;
        let owner = account(unit, account_id).await?;
        let organization_id = match self.organization_id {
            Some(id) if Uuid::from(id) != owner.personal_organization_id => {
                return Err(Error::NotFound("organization"));
            }
            _ => OrganizationId(owner.personal_organization_id),
        };
        let create = ProjectCommand::Create { organization_id, fields: self.fields.clone() };
        let project = unit.decide::<Project>(&Unit::new_aggregate(self.project_id), create)?;
        let found = MembershipCommand::Found { owner: account_id };
        unit.decide::<Membership>(&Unit::new_aggregate(self.project_id), found)?;
        Ok(CreatedProject {
            project_id: self.project_id,
            organization_id,
            fields: self.fields.clone(),
            owner,
            version: project.sequence,
        })
    }
}

async fn account(unit: &Unit<'_>, id: AccountId) -> Result<AccountRow, Error> {
    accounts::find(unit.pool(), id.into()).await?.ok_or(Error::Unauthenticated("the account no longer exists"))
}
