//! Erase an account: it leaves every project, and its own log ends. What is personal of it lies in tables, which change
//! in the same transaction.

use uuid::Uuid;
use workroom_domain::{
    access::{OrganizationRole, Role},
    account::{Account, AccountCommand, SessionEnd},
    ids::{AccountId, ProjectId, SessionId},
    membership::{Membership, MembershipCommand},
    organization::{Organization, OrganizationCommand},
    project::{Project, ProjectCommand},
};
use workroom_projections::{members, organizations};

use crate::application::{Command, Error, Unit, members::unlead};

/// Erase an account.
#[derive(Clone, Debug)]
pub struct EraseAccount {
    /// The account.
    pub account_id: AccountId,
    /// Its sessions that are going on.
    pub sessions: Vec<Uuid>,
    /// What to do with projects that others share and that it is the last owner of: hand them over to whoever has been
    /// in them as the first, or refuse.
    pub hand_over: bool,
}

impl Command for EraseAccount {
    type Reply = ();

    fn contended(&self) -> Option<Uuid> {
        Some(self.account_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        let mut account = unit.read::<Account>(self.account_id).await?;
        account.state.active().or_else(|refusal| match refusal {
            workroom_domain::account::AccountRefusal::Deactivated => Ok(()),
            other => Err(other),
        })?;
        leave_all(unit, self.account_id, self.hand_over).await?;
        for session_id in self.sessions.iter().copied().map(SessionId) {
            let end = AccountCommand::EndSession { session_id, reason: SessionEnd::AccountErased };
            account = unit.decide(&account, end)?;
        }
        unit.decide(&account, AccountCommand::Erase)?;
        Ok(())
    }
}

/// Take an account off every roster that the views still show it on: it was added while it was being erased.
#[derive(Clone, Copy, Debug)]
pub struct LeaveEverything {
    /// The account.
    pub account_id: AccountId,
}

impl Command for LeaveEverything {
    type Reply = ();

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        leave_all(unit, self.account_id, true).await
    }
}

async fn leave_all(unit: &mut Unit<'_>, account_id: AccountId, hand_over: bool) -> Result<(), Error> {
    let mut stuck = Vec::new();
    for project_id in members::projects_of(unit.pool(), account_id.into()).await? {
        let roster = unit.read::<Membership>(project_id).await?;
        let Some(role) = roster.state.role_of(account_id) else { continue };
        if roster.state.members().len() == 1 {
            let project = unit.read::<Project>(project_id).await?;
            unit.decide(&project, ProjectCommand::Delete)?;
            unit.decide(&roster, MembershipCommand::Close)?;
            continue;
        }
        let mut roster = roster;
        let has_another_owner = roster.state.members().any(|(id, role)| id != account_id && role == Role::Owner);
        if role == Role::Owner && !has_another_owner {
            if !hand_over {
                stuck.push(describe(unit, ProjectId(project_id)).await?);
                continue;
            }
            let others = roster.state.members().filter(|(id, _)| *id != account_id);
            // Ids are in the order of registration.
            let heir = others.max_by_key(|(id, role)| (*role, std::cmp::Reverse(*id))).map(|(id, _)| id);
            let Some(heir) = heir else { continue };
            let role = Role::Owner;
            roster = unit.decide(&roster, MembershipCommand::ChangeRole { account_id: heir, role })?;
        }
        unlead(unit, ProjectId(project_id), account_id).await?;
        unit.decide(&roster, MembershipCommand::Remove { account_id })?;
    }
    leave_organizations(unit, account_id, hand_over, &mut stuck).await?;
    if stuck.is_empty() {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "you are the last owner of projects, or the last admin of organizations, that you share; hand them over, or \
         delete them, first: {}",
        stuck.join(", ")
    )))
}

/// What nobody else belongs to stays as it is: nobody can act there any more.
async fn leave_organizations(
    unit: &mut Unit<'_>,
    account_id: AccountId,
    hand_over: bool,
    stuck: &mut Vec<String>,
) -> Result<(), Error> {
    for id in organizations::of_account(unit.pool(), account_id.into()).await? {
        let mut organization = unit.read::<Organization>(id).await?;
        let Ok(state) = organization.state.active() else { continue };
        let Some(role) = state.role_of(account_id) else { continue };
        let others: Vec<_> = state.members().filter(|(id, _)| *id != account_id).collect();
        if others.is_empty() {
            continue;
        }
        if role == OrganizationRole::Admin && others.iter().all(|(_, role)| *role != OrganizationRole::Admin) {
            if !hand_over {
                stuck.push(format!("“{}” ({id})", state.fields.name.as_str()));
                continue;
            }
            // Ids are in the order of registration.
            let Some((heir, _)) = others.iter().min_by_key(|(id, _)| *id).copied() else { continue };
            let role = OrganizationRole::Admin;
            organization = unit.decide(&organization, OrganizationCommand::ChangeRole { account_id: heir, role })?;
        }
        unit.decide(&organization, OrganizationCommand::RemoveMember { account_id })?;
    }
    Ok(())
}

async fn describe(unit: &mut Unit<'_>, project_id: ProjectId) -> Result<String, Error> {
    let project = unit.read::<Project>(project_id).await?;
    let name = project.state.active().map(|(_, fields)| fields.name.as_str().to_owned()).unwrap_or_default();
    Ok(format!("“{name}” ({project_id})"))
}
