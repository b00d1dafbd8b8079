//! Erase an account: it leaves every project, and its own log ends. What is personal of it lies in tables, which change
//! in the same transaction.

use std::{cmp::Reverse, sync::Arc};

use uuid::Uuid;
use workroom_domain::{
    access::{OrganizationRole, Role},
    account::{Account, AccountCommand, AccountRefusal, SessionEnd},
    ids::{AccountId, ProjectId, SessionId},
    membership::{Membership, MembershipCommand},
    organization::{Organization, OrganizationCommand},
    project::{Project, ProjectCommand},
};
use workroom_projections::{members, organizations};

use crate::{
    application::{Command, Error, Unit, members::unlead, views},
    event_store::Versioned,
};

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
        let account = unit.read::<Account>(self.account_id).await?;
        account.state.active().or_else(|refusal| match refusal {
            AccountRefusal::Deactivated => Ok(()),
            other => Err(other),
        })?;
        // Who erases themselves leaves first, in their own name. The service takes somebody off who is erased already.
        if unit.context().actor.account() == Some(self.account_id) {
            leave_all(unit, self.account_id, self.hand_over).await?;
            self.end(unit, account)
        } else {
            self.end(unit, account)?;
            leave_all(unit, self.account_id, self.hand_over).await
        }
    }
}

impl EraseAccount {
    fn end(&self, unit: &mut Unit<'_>, mut account: Arc<Versioned<Account>>) -> Result<(), Error> {
        for session_id in self.sessions.iter().copied().map(SessionId) {
            let end = AccountCommand::EndSession { session_id, reason: SessionEnd::AccountErased };
            account = unit.decide(&account, end)?;
        }
        unit.decide(&account, AccountCommand::Erase)?;
        Ok(())
    }
}

/// Take an erased account off everything that it still belongs to: it was added while it was being erased.
#[derive(Clone, Copy, Debug)]
pub struct LeaveEverything {
    /// The account.
    pub account_id: AccountId,
}

impl Command for LeaveEverything {
    type Reply = ();

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        if lives(unit, self.account_id).await? {
            return Ok(());
        }
        leave_all(unit, self.account_id, true).await
    }
}

/// Whether the account has not been erased; the append is guarded by this.
pub(in crate::application) async fn lives(unit: &mut Unit<'_>, account_id: AccountId) -> Result<bool, Error> {
    Ok(unit.read::<Account>(account_id).await?.state.active() != Err(AccountRefusal::Erased))
}

/// The first who has not been erased.
async fn first_living(unit: &mut Unit<'_>, candidates: &[AccountId]) -> Result<Option<AccountId>, Error> {
    for account_id in candidates {
        if lives(unit, *account_id).await? {
            return Ok(Some(*account_id));
        }
    }
    Ok(None)
}

/// The first who can act; else the first who has not been erased.
async fn first_to_act(unit: &mut Unit<'_>, candidates: &[AccountId]) -> Result<Option<AccountId>, Error> {
    for account_id in candidates {
        if unit.read::<Account>(*account_id).await?.state.active().is_ok() {
            return Ok(Some(*account_id));
        }
    }
    first_living(unit, candidates).await
}

/// Everybody else, the highest role first, and the one who registered first of those.
fn others<R: Ord + Copy>(members: impl Iterator<Item = (AccountId, R)>, account_id: AccountId) -> Vec<AccountId> {
    let mut others: Vec<_> = members.filter(|(id, _)| *id != account_id).collect();
    // Ids are in the order of registration.
    others.sort_by_key(|(id, role)| (Reverse(*role), *id));
    others.into_iter().map(|(id, _)| id).collect()
}

/// The views tell where the account belongs, and are waited for; the aggregates decide. What somebody adds it to at the
/// same time is left by [`LeaveEverything`], once it is erased: then nobody can add it any more.
async fn leave_all(unit: &mut Unit<'_>, account_id: AccountId, hand_over: bool) -> Result<(), Error> {
    views::caught_up(unit.pool(), &[views::WORKSPACE]).await?;
    let mut stuck = Vec::new();
    for project_id in members::projects_of(unit.pool(), account_id.into()).await? {
        let roster = unit.read::<Membership>(project_id).await?;
        let Some(role) = roster.state.role_of(account_id) else { continue };
        let others = others(roster.state.members(), account_id);
        let Some(next) = first_living(unit, &others).await? else {
            let project = unit.read::<Project>(project_id).await?;
            unit.decide(&project, ProjectCommand::Delete)?;
            unit.decide(&roster, MembershipCommand::Close)?;
            continue;
        };
        let mut roster = roster;
        if role == Role::Owner && roster.state.role_of(next) != Some(Role::Owner) {
            if !hand_over {
                stuck.push(describe(unit, ProjectId(project_id)).await?);
                continue;
            }
            let heir = first_to_act(unit, &others).await?.unwrap_or(next);
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
        let others = others(state.members(), account_id);
        let Some(next) = first_living(unit, &others).await? else { continue };
        if role == OrganizationRole::Admin && state.role_of(next) != Some(OrganizationRole::Admin) {
            if !hand_over {
                stuck.push(format!("“{}” ({id})", state.fields.name.as_str()));
                continue;
            }
            let heir = first_to_act(unit, &others).await?.unwrap_or(next);
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
