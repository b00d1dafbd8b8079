//! What has to follow an event in other aggregates, however many, each of them an append of its own: tasks of members who
//! have left are nobody's, invitations of who may not invite any more are void, jobs of projects that were deleted are over, and
//! accounts that were erased belong to nothing.
//!
//! Whoever gave the command does it before the reply, as far as the views show what is to be done. Each [`Reactor`]
//! follows the log behind them, with a checkpoint in the database: it goes no further than the views have come, so what
//! it looks up there shows the event that it follows. Nothing new can come behind it: assignments and submissions are
//! guarded by the membership, joining by the account. All that is done is decided on the log and may be done twice.
//!
//! A sweep, every few minutes, does the same for everything that the views show: it repairs what earlier versions left.

use std::time::Duration;

use sqlx::{FromRow, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workroom_domain::refusal::Kind;
use workroom_domain::{
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
    jobs::{CancelJob, RevokeLease},
    members::{RemoveMember, RemoveOutsider},
    organizations::{RemoveOrganizationMember, UpdateOrganization, UpdatedOrganization},
    projects::DeleteProject,
    tasks::UnassignTask,
    views,
};
use crate::application::codes::VIEWS_BEHIND;

/// How often the log is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long others keep away from a reactor that is at work, or stands still. Two at once do no harm.
const LEASE: Duration = Duration::from_secs(2);
const SWEEP_INTERVAL: Duration = Duration::from_mins(10);
/// Things that are done about one event, or by one sweep, at a time.
const BATCH: i64 = 500;
/// Invitations that a request ends, and memberships, before its reply.
const AT_ONCE: i64 = 100;
/// How often in a row an account may be found where it does not belong any more.
const IN_VAIN: usize = 10;
/// Positions of the log that are looked at in one statement.
const STRETCH: i64 = 20_000;

/// What may have taken an account's right to invite was carried out.
pub struct Demoted<R> {
    /// The command's own outcome.
    pub done: Done<R>,
    /// The account's open invitations that ended with it.
    pub ended_invitations: Vec<InvitationId>,
}

impl App {
    /// Takes a member off a project, their open tasks from them, and ends the invitations that they sent.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn remove_member(&self, context: &Context, command: &RemoveMember) -> Result<Demoted<i64>, Error> {
        let done = self.run(context, command).await?;
        if done.visible {
            let of = Some((command.project_id, command.account_id));
            later(self.release_tasks(&reaction(context.correlation_id), of).await);
        }
        Ok(self.demoted(context, command.account_id, done).await)
    }

    /// Takes a member off an organization and, where that takes no guests, off its projects; ends the invitations that they sent.
    ///
    /// # Errors
    /// See [`Error`].
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

    /// Changes an organization's fields; where it takes no guests any more, they leave its projects.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update_organization(
        &self,
        context: &Context,
        command: &UpdateOrganization,
    ) -> Result<Done<UpdatedOrganization>, Error> {
        let done = self.run(context, command).await?;
        if done.visible && command.patch.allow_guests == Some(false) {
            let context = &reaction(context.correlation_id);
            later(self.remove_some_outsiders(context, command.organization_id, None).await);
        }
        Ok(done)
    }

    /// Takes the first off projects who do not belong to the organization, which takes no guests: a request waits for so many
    /// at most. The reactor takes off the others.
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

    /// Takes off projects who does not belong to their organization, which takes no guests: of one organization, or all; one
    /// account, or all.
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
    ///
    /// # Errors
    /// See [`Error`].
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
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_project(&self, context: &Context, command: &DeleteProject) -> Result<Done<i64>, Error> {
        let done = self.run(context, command).await?;
        if done.visible {
            let of = Some(command.project_id);
            later(self.end_jobs(&reaction(context.correlation_id), of).await);
        }
        Ok(done)
    }

    /// Takes an erased account off what it was added to while it was being erased, or off the next portion of what it
    /// belonged to.
    pub async fn leave_more(&self, correlation_id: Uuid, account_id: AccountId) {
        later(self.run(&reaction(correlation_id), &LeaveEverything { account_id }).await.map(drop));
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
            let cancel = CancelJob { job_id, reason: CancelReason::ProjectDeleted };
            self.run_with_tables(context, &cancel, &RevokeLease { job_id }).await
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

/// What has to follow which events. To add one: a variant with its name, its events and what it does about them, and a
/// row in `reactor_checkpoints` by a migration.
#[derive(Clone, Copy, Debug)]
enum Reactor {
    /// Members who were removed, and accounts that were erased, leave nothing behind.
    Departures,
    /// Projects that were deleted leave no jobs behind.
    Deletions,
}

/// An event that something has to follow.
#[derive(FromRow)]
struct Cause {
    position: i64,
    event_id: Uuid,
    event_type: String,
    aggregate_id: Uuid,
    account_id: Option<Uuid>,
}

/// Where a reactor stands.
#[derive(FromRow)]
struct Checkpoint {
    position: i64,
    is_sweep_due: bool,
}

impl Reactor {
    const ALL: [Self; 2] = [Self::Departures, Self::Deletions];

    fn name(self) -> &'static str {
        match self {
            Self::Departures => "departures",
            Self::Deletions => "deletions",
        }
    }

    fn event_types(self) -> &'static [&'static str] {
        match self {
            Self::Departures => &[
                "MemberRemoved",
                "MemberRoleChanged",
                "OrganizationMemberRemoved",
                "OrganizationMemberRoleChanged",
                "OrganizationUpdated",
                "AccountErased",
            ],
            Self::Deletions => &["ProjectDeleted"],
        }
    }

    /// The groups of the views in which it looks things up.
    fn views(self) -> &'static [&'static str] {
        match self {
            Self::Departures => &[views::WORKSPACE],
            Self::Deletions => &[views::WORKSPACE, views::JOBS],
        }
    }

    async fn react(self, app: &App, cause: &Cause) -> Result<(), Error> {
        let context = &Context { causation_id: Some(cause.event_id), ..reaction(Uuid::now_v7()) };
        match (cause.event_type.as_str(), cause.account_id) {
            ("MemberRemoved", Some(account)) => {
                app.release_tasks(context, Some((ProjectId(cause.aggregate_id), AccountId(account)))).await?;
                app.lapse_invitations(context, Some(AccountId(account))).await
            }
            ("OrganizationMemberRemoved", Some(account)) => {
                app.remove_outsiders(context, Some(OrganizationId(cause.aggregate_id)), Some(AccountId(account)))
                    .await?;
                app.lapse_invitations(context, Some(AccountId(account))).await
            }
            ("OrganizationUpdated", _) => {
                app.remove_outsiders(context, Some(OrganizationId(cause.aggregate_id)), None).await
            }
            (_, Some(account)) => app.lapse_invitations(context, Some(AccountId(account))).await,
            ("AccountErased", _) => {
                let account_id = AccountId(cause.aggregate_id);
                app.leave_everything(context, account_id).await?;
                app.lapse_invitations(context, Some(account_id)).await
            }
            ("ProjectDeleted", _) => app.end_jobs(context, Some(ProjectId(cause.aggregate_id))).await,
            _ => Ok(()),
        }
    }

    async fn sweep(self, app: &App) -> Result<(), Error> {
        views::caught_up(app.pool(), self.views()).await?;
        let context = &reaction(Uuid::now_v7());
        match self {
            Self::Departures => {
                app.erase_traces(context).await?;
                app.remove_outsiders(context, None, None).await?;
                app.lapse_invitations(context, None).await?;
                app.release_tasks(context, None).await
            }
            Self::Deletions => app.end_jobs(context, None).await,
        }
    }

    /// Follows a stretch of the log; `true` when there is more.
    async fn pass(self, app: &App, holder: Uuid) -> Result<bool, Error> {
        let pool = app.pool();
        let Some(Checkpoint { position, is_sweep_due }) = self.take(pool, holder).await? else { return Ok(false) };
        if is_sweep_due {
            match self.sweep(app).await {
                Err(error) if error.kind() == Kind::Unavailable => return Err(error),
                // One that cannot be helped must not keep the others waiting; the next sweep finds it again.
                Err(error) => self.complain(&error),
                Ok(()) => {}
            }
            self.swept(pool, holder).await?;
        }
        let until = views::reached(pool, self.views()).await?.min(position + STRETCH);
        if until <= position {
            return Ok(false);
        }
        let causes = self.causes(pool, position, until).await?;
        let is_all = i64::try_from(causes.len()).unwrap_or(BATCH) < BATCH;
        let mut done = position;
        for cause in &causes {
            match self.react(app, cause).await {
                Err(error) if error.kind() == Kind::Unavailable => {
                    self.advance(pool, holder, position, done).await?;
                    return Err(error);
                }
                Err(error) => self.complain(&error),
                Ok(()) => {}
            }
            done = cause.position;
        }
        if is_all {
            done = until;
        }
        self.advance(pool, holder, position, done).await?;
        Ok(!is_all || until == position + STRETCH)
    }

    fn complain(self, error: &Error) {
        tracing::error!(error = error as &dyn std::error::Error, reactor = self.name(), "an event was not followed");
    }

    /// Takes the lead if there is something to do and nobody else is at it.
    async fn take(self, pool: &PgPool, holder: Uuid) -> Result<Option<Checkpoint>, sqlx::Error> {
        let reached = views::reached(pool, self.views()).await?;
        sqlx::query_as(
            "UPDATE reactor_checkpoints SET holder = $2, leased_until = now() + make_interval(secs => $3)
             WHERE reactor = $1 AND (holder = $2 OR leased_until IS NULL OR leased_until < now())
               AND (position < $4 OR swept_at IS NULL OR swept_at < now() - make_interval(secs => $5))
             RETURNING position, swept_at IS NULL OR swept_at < now() - make_interval(secs => $5) AS is_sweep_due",
        )
        .bind(self.name())
        .bind(holder)
        .bind(LEASE.as_secs_f64())
        .bind(reached)
        .bind(SWEEP_INTERVAL.as_secs_f64())
        .fetch_optional(pool)
        .await
    }

    async fn causes(self, pool: &PgPool, after: i64, until: i64) -> Result<Vec<Cause>, sqlx::Error> {
        sqlx::query_as(
            "SELECT position, event_id, event_type, aggregate_id::uuid AS aggregate_id,
                    (payload->>'account_id')::uuid AS account_id
             FROM events WHERE position > $1 AND position <= $2 AND event_type = ANY($3)
               AND (event_type <> 'OrganizationUpdated'
                    OR payload->'changes'->'settings'->'to'->>'allow_guests' = 'false')
             ORDER BY position LIMIT $4",
        )
        .bind(after)
        .bind(until)
        .bind(self.event_types())
        .bind(BATCH)
        .fetch_all(pool)
        .await
    }

    /// Moves the checkpoint, unless somebody else has it by now.
    async fn advance(self, pool: &PgPool, holder: Uuid, from: i64, to: i64) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE reactor_checkpoints SET position = $4 WHERE reactor = $1 AND holder = $2 AND position = $3")
            .bind(self.name())
            .bind(holder)
            .bind(from)
            .bind(to)
            .execute(pool)
            .await
            .map(drop)
    }

    async fn swept(self, pool: &PgPool, holder: Uuid) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE reactor_checkpoints SET swept_at = now() WHERE reactor = $1 AND holder = $2")
            .bind(self.name())
            .bind(holder)
            .execute(pool)
            .await
            .map(drop)
    }
}

/// Follows the log with all reactors until told to stop. Any number of processes may: one at a time does the work.
pub async fn follow(app: App, shutdown: CancellationToken) {
    let holder = Uuid::now_v7();
    futures::future::join_all(Reactor::ALL.map(|reactor| follow_with(reactor, &app, holder, &shutdown))).await;
    let released = sqlx::query("UPDATE reactor_checkpoints SET leased_until = NULL WHERE holder = $1")
        .bind(holder)
        .execute(app.pool())
        .await;
    if let Err(error) = released {
        tracing::debug!(error = &error as &dyn std::error::Error, "the reactors were not handed over");
    }
}

async fn follow_with(reactor: Reactor, app: &App, holder: Uuid, shutdown: &CancellationToken) {
    loop {
        match reactor.pass(app, holder).await {
            Ok(true) if !shutdown.is_cancelled() => continue,
            Ok(_) => {}
            Err(error) => {
                let name = reactor.name();
                tracing::debug!(error = &error as &dyn std::error::Error, reactor = name, "the log is not followed");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = shutdown.cancelled() => return,
        }
    }
}
