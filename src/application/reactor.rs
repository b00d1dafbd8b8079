//! What has to follow an event in other aggregates, however many, each of them an append of its own: tasks of members who
//! have left are nobody's, invitations of who may not invite any more are void, jobs of projects that were deleted and of
//! accounts that were closed are over, and accounts that were erased belong to nothing.
//!
//! Whoever gave the command does it before the reply, as far as the views show what is to be done. Each [`Reactor`]
//! follows the log behind them, with a checkpoint in the database: it goes no further than the views have come, so what
//! it looks up there shows the event that it follows. Nothing new can come behind it: assignments and submissions are
//! guarded by the membership, joining by the account. All that is done is decided on the log and may be done twice.
//!
//! A repair, every few minutes, does the same for everything that the views show: it finds what earlier versions left.

mod follower;
mod left_jobs;

use std::time::Duration;

use uuid::Uuid;
use workroom_domain::{
    access::OrganizationRole,
    actor::{Actor, SystemActor},
    ids::{AccountId, InvitationId, OrganizationId, ProjectId},
    job::CancelReason,
};
use workroom_projections::{
    jobs, members,
    tasks::{self, Abandoned},
};

use super::{
    App, Command, Context, Done, Error,
    accounts::{LeaveEverything, Portion},
    invitations::{self, DeleteInvitation, LapseInvitation},
    jobs::EndJob,
    members::{RemoveMember, RemoveOutsider},
    organizations::{ChangeOrganizationRole, RemoveOrganizationMember, UpdateOrganization, UpdatedOrganization},
    projects::DeleteProject,
    tasks::UnassignTask,
};
use crate::application::codes::VIEWS_BEHIND;

pub(super) use follower::release;
pub use follower::{Reaction, Reactor};

/// When a command that waits for the views may be given again.
const INTERVAL: Duration = Duration::from_secs(1);
/// Things that are done about one event, or by one repair, at a time.
const BATCH: i64 = 500;
/// Invitations that a request ends, and memberships, before its reply.
const AT_ONCE: i64 = 100;
/// How often in a row an account may be found where it does not belong any more.
const IN_VAIN: usize = 10;

/// What may have taken an account's right to invite was carried out.
pub struct Demoted<R> {
    /// The command's own outcome.
    pub done: Done<R>,
    /// The account's open invitations that ended with it.
    pub ended_invitations: Vec<InvitationId>,
}

impl App {
    /// Takes a member off a project, their open tasks from them, and ends the invitations that they sent.
    pub async fn remove_member(&self, context: &Context, command: &RemoveMember) -> Result<Demoted<i64>, Error> {
        let done = self.run(context, command).await?;
        if done.visible {
            let of = Some((command.project_id, command.account_id));
            later(self.release_tasks(&reaction(context.correlation_id), of).await);
        }
        Ok(self.demoted(context, command.account_id, done).await)
    }

    /// Takes a member off an organization and, where that takes no guests, off its projects; ends the invitations that they sent.
    pub async fn remove_organization_member(
        &self,
        context: &Context,
        command: &RemoveOrganizationMember,
    ) -> Result<Demoted<i64>, Error> {
        let done = self.run(context, command).await?;
        if done.visible {
            let context = &reaction(context.correlation_id);
            later(self.remove_some_outsiders(context, command.organization_id, Some(command.account_id)).await);
        }
        Ok(self.demoted(context, command.account_id, done).await)
    }

    /// Gives a member of an organization another role: whoever audits its projects leaves them. Ends the invitations of
    /// who may not invite any more.
    pub async fn change_organization_role(
        &self,
        context: &Context,
        command: &ChangeOrganizationRole,
    ) -> Result<Demoted<i64>, Error> {
        let done = self.run(context, command).await?;
        if done.visible && command.role == OrganizationRole::Auditor {
            let context = &reaction(context.correlation_id);
            later(self.remove_some_outsiders(context, command.organization_id, Some(command.account_id)).await);
        }
        Ok(self.demoted(context, command.account_id, done).await)
    }

    /// Changes an organization's fields; where it takes no guests any more, they leave its projects.
    pub async fn update_organization(
        &self,
        context: &Context,
        command: &UpdateOrganization,
    ) -> Result<Done<UpdatedOrganization>, Error> {
        let done = self.run(context, command).await?;
        if done.visible && command.patch.settings.allow_guests == Some(false) {
            let context = &reaction(context.correlation_id);
            later(self.remove_some_outsiders(context, command.organization_id, None).await);
        }
        Ok(done)
    }

    /// Takes the first off projects who do not belong to the organization, which takes no guests, or are its auditors:
    /// a request waits for so many at most. The reactor takes off the others.
    async fn remove_some_outsiders(
        &self,
        context: &Context,
        organization_id: OrganizationId,
        account_id: Option<AccountId>,
    ) -> Result<(), Error> {
        let found = members::outsiders(self.pool(), Some(organization_id), account_id, AT_ONCE).await?;
        let removed = found.into_iter().map(|outsider| self.remove_outsider(context, outsider));
        futures::future::try_join_all(removed).await.map(drop)
    }

    /// Takes off projects who does not belong to their organization, which takes no guests, or is its auditor: of one
    /// organization, or all; one account, or all.
    async fn remove_outsiders(
        &self,
        context: &Context,
        organization: Option<OrganizationId>,
        account: Option<AccountId>,
    ) -> Result<(), Error> {
        let find = || members::outsiders(self.pool(), organization, account, BATCH);
        repeat_until_none(find, |outsider| self.remove_outsider(context, outsider)).await
    }

    async fn remove_outsider(
        &self,
        context: &Context,
        (project_id, account_id): (ProjectId, AccountId),
    ) -> Result<Done<bool>, Error> {
        let done = self.run(context, &RemoveOutsider { project_id, account_id }).await?;
        if done.visible {
            later(self.release_tasks(context, Some((project_id, account_id))).await);
        }
        Ok(done)
    }

    /// Carries out what may take an account's right to invite, and ends the invitations that it sent.
    pub async fn demote<C: Command>(
        &self,
        context: &Context,
        account_id: AccountId,
        command: &C,
    ) -> Result<Demoted<C::Reply>, Error> {
        let done = self.run(context, command).await?;
        Ok(self.demoted(context, account_id, done).await)
    }

    async fn demoted<R>(&self, context: &Context, account_id: AccountId, done: Done<R>) -> Demoted<R> {
        let mut ended_invitations = Vec::new();
        if done.visible {
            match self.lapse_some(&reaction(context.correlation_id), account_id).await {
                Ok(ended) => ended_invitations = ended,
                Err(error) => later(Err(error)),
            }
        }
        Demoted { done, ended_invitations }
    }

    /// Ends the first open invitations of a sender who may not invite any more, and tells which: a request waits for so many at
    /// most. Nobody can accept the others either; the reactor ends them.
    async fn lapse_some(&self, context: &Context, sender: AccountId) -> Result<Vec<InvitationId>, Error> {
        let found = invitations::of_departed(self.pool(), Some(sender), AT_ONCE).await?;
        let lapsed = found.iter().map(|id| async move { Ok::<_, Error>((*id, self.lapse(context, *id).await?.reply)) });
        let lapsed = futures::future::try_join_all(lapsed).await?;
        Ok(lapsed.into_iter().filter_map(|(id, has_ended)| has_ended.then_some(id)).collect())
    }

    async fn lapse(&self, context: &Context, invitation_id: InvitationId) -> Result<Done<bool>, Error> {
        self.run_with_tables(context, &LapseInvitation { invitation_id }, &DeleteInvitation(invitation_id)).await
    }

    /// Ends open invitations whose sender may not invite any more: of one sender, or all.
    async fn lapse_invitations(&self, context: &Context, sender: Option<AccountId>) -> Result<(), Error> {
        let find = || invitations::of_departed(self.pool(), sender, BATCH);
        repeat_until_none(find, |id| self.lapse(context, id)).await
    }

    /// Deletes a project, and ends its jobs.
    pub async fn delete_project(&self, context: &Context, command: &DeleteProject) -> Result<Done<i64>, Error> {
        let done = self.run(context, command).await?;
        if done.visible {
            let of = Some(command.project_id);
            later(self.end_jobs(&reaction(context.correlation_id), of).await);
        }
        Ok(done)
    }

    /// Takes an erased account off what it was added to while it was being erased, or off the next portion of what it
    /// belonged to, and ends the first of its own jobs.
    pub async fn leave_more(&self, correlation_id: Uuid, account_id: AccountId) {
        let context = &reaction(correlation_id);
        later(self.run(context, &LeaveEverything { account_id }).await.map(drop));
        later(self.end_some_own_jobs(context, account_id).await);
    }

    /// Takes an erased account off everything that it still belongs to. Somebody else may be at it: then there is nothing to
    /// leave in what was found, but in what is found next.
    async fn leave_everything(&self, context: &Context, account_id: AccountId) -> Result<Done<Portion>, Error> {
        let mut in_vain = 0;
        while in_vain < IN_VAIN {
            let done = self.run(context, &LeaveEverything { account_id }).await?;
            if !done.reply.is_more {
                return Ok(done);
            }
            in_vain = if done.reply.is_left { 0 } else { in_vain + 1 };
        }
        Err(Error::failure("an account is shown in what it does not belong to"))
    }

    /// Takes open tasks from those who are no longer members: of one of them in one project, or of all.
    async fn release_tasks(&self, context: &Context, of: Option<(ProjectId, AccountId)>) -> Result<(), Error> {
        let find = || tasks::assigned_to_departed(self.pool(), of, BATCH);
        repeat_until_none(find, |Abandoned { project_id, task_id, assignee_id }| async move {
            self.run(context, &UnassignTask { project_id, task_id, assignee_id }).await
        })
        .await
    }

    /// Ends the jobs of a deleted project, or of all.
    async fn end_jobs(&self, context: &Context, of: Option<ProjectId>) -> Result<(), Error> {
        let find = || jobs::open_in_deleted(self.pool(), of, BATCH);
        repeat_until_none(find, |job_id| async move {
            self.run(context, &EndJob { job_id, reason: CancelReason::ProjectDeleted }).await
        })
        .await
    }

    /// Takes erased accounts off everything that they are still shown in.
    async fn erase_traces(&self, context: &Context) -> Result<(), Error> {
        let find = || members::erased(self.pool(), BATCH);
        repeat_until_none(find, |account_id| async move { self.leave_everything(context, account_id).await }).await
    }
}

/// The service acts because of an event, or of a request.
fn reaction(correlation_id: Uuid) -> Context {
    Context::new(Actor::System(SystemActor::Reconciler), correlation_id)
}

/// The command that this follows stands; the reactor does the rest.
fn later(outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        tracing::warn!(error = &error as &dyn std::error::Error, "what follows a command is left to the reactor");
    }
}

/// Does something about everything that is found, until nothing is. What the views do not show in time would be found
/// again and again: then it is for a later pass.
async fn repeat_until_none<T, R, Found, Acted>(find: impl Fn() -> Found, act: impl Fn(T) -> Acted) -> Result<(), Error>
where
    T: Clone + PartialEq,
    Found: Future<Output = Result<Vec<T>, sqlx::Error>>,
    Acted: Future<Output = Result<Done<R>, Error>>,
{
    let mut before = Vec::new();
    loop {
        let found = find().await?;
        if !found.is_empty() && found == before {
            return Err(Error::failure("what a reactor does makes no difference to what it finds"));
        }
        let is_last = i64::try_from(found.len()).unwrap_or(BATCH) < BATCH;
        let done = futures::future::try_join_all(found.iter().cloned().map(&act)).await?;
        if !done.iter().all(|done| done.visible) {
            return Err(Error::later(VIEWS_BEHIND, INTERVAL));
        }
        if is_last {
            return Ok(());
        }
        before = found;
    }
}
