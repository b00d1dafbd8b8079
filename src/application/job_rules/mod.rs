//! Rules for jobs: what is paused, and what limits jobs of an organization, a project or an account.

pub mod codes;
mod set;
mod slots;
mod weigh;

pub use set::{DecidedRule, RuleChange, SetJobRule};
pub use weigh::WeighOrganization;

use workroom_domain::{
    access::{Action, OrganizationAction},
    job_rule::{RuleOwner, RuleScope},
};

use super::{Error, Unit, codes::FORBIDDEN};

/// What it takes to set rules for all jobs of a project.
pub const MANAGE: Action = Action::ManageMembers;
/// What it takes to set rules for all jobs of an organization.
pub const MANAGE_OF_ORGANIZATION: OrganizationAction = OrganizationAction::Edit;

/// Insists that the caller may set rules for these jobs; the append is guarded by that.
async fn authorize(unit: &mut Unit<'_>, scope: &RuleScope) -> Result<(), Error> {
    match scope.owner() {
        Some(RuleOwner::Organization(organization_id)) => {
            unit.authorize_in_organization(organization_id, MANAGE_OF_ORGANIZATION).await.map(drop)
        }
        Some(RuleOwner::Project(project_id)) => unit.authorize(project_id, MANAGE).await.map(drop),
        Some(RuleOwner::Account(account_id)) if account_id == unit.context().account()? => Ok(()),
        Some(RuleOwner::Account(_)) | None => Err(FORBIDDEN.into()),
    }
}
