//! Erase an account: it leaves every project, and its own log ends. What is personal of it lies in tables, which change
//! in the same transaction.

use std::{cmp::Reverse, sync::Arc};

use uuid::Uuid;
use workroom_domain::{
    access::{OrganizationRole, Role},
    account::{Account, AccountCommand, AccountRefusal, SessionEnd},
    ids::{AccountId, OrganizationId, ProjectId, SessionId},
    membership::{Membership, MembershipCommand},
    organization::{Organization, OrganizationCommand},
    project::{Project, ProjectCommand},
    refusal::Kind,
};
use workroom_projections::{members, organizations};

use crate::application::codes::LAST_OF_SHARED;
use crate::{
    application::{Command, Error, Unit, members::unlead, views},
    event_store::Versioned,
};

/// Projects, and organizations, that are left at once: each costs a few reads and events.
const PORTION: i64 = 200;
/// What stands in the way of an erasure is named, so much of it.
const NAMED: i64 = 21;
const NAMED_AT_MOST: usize = 20;

/// Erase an account.
#[derive(Clone, Debug)]
pub struct EraseAccount {
    /// The account to erase; a deactivated one can be erased, too.
    pub account_id: AccountId,
    /// Its sessions that are going on.
    pub sessions: Vec<Uuid>,
    /// What to do with projects that others share and that it is the last owner of: hand them over to whoever has been
    /// in them as the first, or refuse.
    pub hand_over: bool,
    /// Whether all it had written is redacted, too. The order for that is the caller's to write, in the same append.
    pub with_content: bool,
}

impl Command for EraseAccount {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.account_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        // What is kept of its own jobs goes with it, as far as the views show them by then. The rest is left to the reactor:
        // views that stand still keep nobody from being erased.
        match views::caught_up(unit.pool(), &[views::JOBS]).await {
            Err(error) if error.kind() != Kind::Unavailable => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let account = unit.read::<Account>(self.account_id).await?;
        account.state.active().or_else(|refusal| match refusal {
            AccountRefusal::Deactivated => Ok(()),
            other => Err(other),
        })?;
        // Who erases themselves leaves first, in their own name. The service takes somebody off who is erased already.
        if unit.context().actor.account() == Some(self.account_id) {
            leave(unit, self.account_id, self.hand_over).await?;
            self.end(unit, account)
        } else {
            self.end(unit, account)?;
            leave(unit, self.account_id, self.hand_over).await.map(drop)
        }
    }
}

impl EraseAccount {
    fn end(&self, unit: &mut Unit<'_>, mut account: Arc<Versioned<Account>>) -> Result<(), Error> {
        for session_id in self.sessions.iter().copied().map(SessionId) {
            let end = AccountCommand::EndSession { session_id, reason: SessionEnd::AccountErased };
            account = unit.decide(&account, end)?;
        }
        unit.decide(&account, AccountCommand::Erase { content_redacted: self.with_content })?;
        Ok(())
    }
}

/// Take an erased account off what it still belongs to: a portion at a time, however much somebody had added it to.
#[derive(Clone, Copy, Debug)]
pub struct LeaveEverything {
    /// The erased account; nothing happens where it is not erased.
    pub account_id: AccountId,
}

/// What came of leaving a portion.
#[derive(Clone, Copy, Debug)]
pub struct Portion {
    /// Whether there may be more.
    pub is_more: bool,
    /// Whether anything was left; nothing, where somebody else has just left the same.
    pub is_left: bool,
}

impl Command for LeaveEverything {
    type Reply = Portion;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<Portion, Error> {
        if lives(unit, self.account_id).await? {
            return Ok(Portion { is_more: false, is_left: false });
        }
        let is_more = leave(unit, self.account_id, true).await?;
        Ok(Portion { is_more, is_left: !unit.is_empty() })
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
pub(in crate::application) async fn first_to_act(
    unit: &mut Unit<'_>,
    candidates: &[AccountId],
) -> Result<Option<AccountId>, Error> {
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

/// Leaves a portion of what the account belongs to; `true` when there may be more. The views tell where it belongs, and are
/// waited for; the aggregates decide. The rest, and what somebody adds it to at the same time, is left by
/// [`LeaveEverything`], once it is erased: then nobody can add it any more.
async fn leave(unit: &mut Unit<'_>, account_id: AccountId, hand_over: bool) -> Result<bool, Error> {
    views::caught_up(unit.pool(), &[views::WORKSPACE]).await?;
    let pool = unit.pool();
    let mut projects = members::projects_of(pool, account_id, PORTION).await?;
    let mut organizations = organizations::shared_by(pool, account_id, false, PORTION).await?;
    let is_more = [projects.len(), organizations.len()].into_iter().any(|found| i64::try_from(found) == Ok(PORTION));
    if !hand_over {
        // Whatever is in the way is in this portion, and so are the names of it.
        projects.extend(members::owned_alone(pool, account_id, NAMED).await?);
        organizations.extend(organizations::shared_by(pool, account_id, true, NAMED).await?);
        projects.sort_unstable();
        projects.dedup();
        organizations.sort_unstable();
        organizations.dedup();
    }
    let mut stuck = Vec::new();
    for project_id in projects {
        stuck.extend(leave_project(unit, project_id, account_id, hand_over).await?);
    }
    for organization_id in organizations {
        stuck.extend(leave_organization(unit, organization_id, account_id, hand_over).await?);
    }
    if stuck.is_empty() {
        return Ok(is_more);
    }
    let more = if stuck.len() > NAMED_AT_MOST { ", and others" } else { "" };
    stuck.truncate(NAMED_AT_MOST);
    let detail = format!(
        "you are the last owner of projects, or the last admin of organizations, that you share; hand them over, or \
         delete them, first: {}{more}",
        stuck.join(", ")
    );
    Err(Error::refused(LAST_OF_SHARED, detail))
}

/// Leaves a project, or deletes it where nobody else is left; its name when it has to be handed over first.
async fn leave_project(
    unit: &mut Unit<'_>,
    project_id: ProjectId,
    account_id: AccountId,
    hand_over: bool,
) -> Result<Option<String>, Error> {
    let mut membership = unit.read::<Membership>(project_id).await?;
    let Some(role) = membership.state.role_of(account_id) else { return Ok(None) };
    let others = others(membership.state.members(), account_id);
    let Some(next) = first_living(unit, &others).await? else {
        let project = unit.read::<Project>(project_id).await?;
        unit.decide(&project, ProjectCommand::Delete)?;
        unit.decide(&membership, MembershipCommand::Close)?;
        return Ok(None);
    };
    if role == Role::Owner && membership.state.role_of(next) != Some(Role::Owner) {
        if !hand_over {
            return describe(unit, project_id).await.map(Some);
        }
        let heir = first_to_act(unit, &others).await?.unwrap_or(next);
        let role = Role::Owner;
        membership = unit.decide(&membership, MembershipCommand::ChangeRole { account_id: heir, role })?;
    }
    unlead(unit, project_id, account_id).await?;
    unit.decide(&membership, MembershipCommand::Remove { account_id })?;
    Ok(None)
}

/// Leaves an organization; its name when it has to be handed over first. What nobody else belongs to stays as it is: nobody
/// can act there any more.
async fn leave_organization(
    unit: &mut Unit<'_>,
    id: OrganizationId,
    account_id: AccountId,
    hand_over: bool,
) -> Result<Option<String>, Error> {
    let mut organization = unit.read::<Organization>(id).await?;
    let Ok(state) = organization.state.active() else { return Ok(None) };
    let Some(role) = state.role_of(account_id) else { return Ok(None) };
    let others = others(state.members(), account_id);
    let Some(next) = first_living(unit, &others).await? else { return Ok(None) };
    if role == OrganizationRole::Admin && state.role_of(next) != Some(OrganizationRole::Admin) {
        if !hand_over {
            return Ok(Some(format!("“{}” ({id})", state.fields.name.as_str())));
        }
        let heir = first_to_act(unit, &others).await?.unwrap_or(next);
        let role = OrganizationRole::Admin;
        organization = unit.decide(&organization, OrganizationCommand::ChangeRole { account_id: heir, role })?;
    }
    unit.decide(&organization, OrganizationCommand::RemoveMember { account_id })?;
    Ok(None)
}

async fn describe(unit: &mut Unit<'_>, project_id: ProjectId) -> Result<String, Error> {
    let project = unit.read::<Project>(project_id).await?;
    let name = project.state.active().map(|(_, fields)| fields.name.as_str().to_owned()).unwrap_or_default();
    Ok(format!("“{name}” ({project_id})"))
}
