//! The reactors as followers of the log, with checkpoints that are leased.

use std::time::Duration;

use sqlx::PgPool;
use sqlx_macros::FromRow;
use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, JobId, OrganizationId, ProjectId},
    refusal::Kind,
};
use workroom_projections::jobs::Owner;

use super::{BATCH, reaction};
use crate::{
    application::{App, Context, Error, views},
    background::{Acted, Batch, Follower, Stretch},
};

/// How long others keep away from a reactor that is at work, or stands still. Two at once do no harm.
const LEASE: Duration = Duration::from_secs(2);
const REPAIR_INTERVAL: Duration = Duration::from_mins(10);
/// Positions of the log that are looked at in one statement.
const STRETCH: i64 = 20_000;

/// What has to follow which events. To add one: a variant with its events and what it does about them, a row in
/// `reactor_checkpoints` by a migration, and a line in the registry of background tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Members who were removed, and accounts that were erased, leave nothing behind.
    Departures,
    /// Projects that were deleted, and accounts that were closed, leave no jobs behind.
    Deletions,
    /// Whoever submitted a job is told that it was given up.
    Failures,
}

impl Reaction {
    /// Its row in `reactor_checkpoints`.
    fn checkpoint(self) -> &'static str {
        match self {
            Self::Departures => "departures",
            Self::Deletions => "deletions",
            Self::Failures => "failures",
        }
    }

    fn event_types(self) -> &'static [&'static str] {
        match self {
            Self::Departures => &[
                "MemberRemoved",
                "MemberRoleChanged",
                "OrganizationMemberAdded",
                "OrganizationMemberRemoved",
                "OrganizationMemberRoleChanged",
                "OrganizationUpdated",
                "AccountErased",
            ],
            Self::Deletions => &["ProjectDeleted", "OrganizationDeleted", "AccountErased", "AccountDeactivated"],
            Self::Failures => &["JobDeadLettered"],
        }
    }

    /// The groups of the views in which it looks things up.
    fn views(self) -> &'static [&'static str] {
        match self {
            Self::Departures => &[views::WORKSPACE],
            Self::Deletions => &[views::WORKSPACE, views::JOBS],
            Self::Failures => &[views::JOBS],
        }
    }

    async fn react(self, app: &App, cause: &Cause) -> Result<(), Error> {
        let context = &Context { causation_id: Some(cause.event_id), ..reaction(Uuid::now_v7()) };
        match (cause.event_type.as_str(), cause.account_id) {
            ("OrganizationDeleted", _) => app.remove_job_rule_slots(Some(cause.aggregate_id)).await,
            ("AccountDeactivated", _) => app.end_own_jobs(context, Some(AccountId(cause.aggregate_id))).await,
            ("AccountErased", _) if self == Self::Deletions => {
                let account_id = AccountId(cause.aggregate_id);
                app.end_own_jobs(context, Some(account_id)).await?;
                app.delete_rows_of_erased(account_id).await?;
                app.delete_job_data(Owner::Account(account_id)).await
            }
            ("MemberRemoved", Some(account)) => {
                app.release_tasks(context, Some((ProjectId(cause.aggregate_id), AccountId(account)))).await?;
                app.lapse_invitations(context, Some(AccountId(account))).await
            }
            // Of who was added, only auditors are met here: they may have been guests of its projects.
            (
                "OrganizationMemberAdded" | "OrganizationMemberRemoved" | "OrganizationMemberRoleChanged",
                Some(account),
            ) => {
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
            ("JobDeadLettered", _) => app.alert(JobId(cause.aggregate_id)).await,
            ("ProjectDeleted", _) => {
                let project_id = ProjectId(cause.aggregate_id);
                app.end_jobs(context, Some(project_id)).await?;
                app.remove_schedules(Some(project_id)).await?;
                app.remove_job_rule_slots(Some(project_id.uuid())).await?;
                app.delete_job_data(Owner::Project(project_id)).await
            }
            _ => Ok(()),
        }
    }

    /// Does about everything that the views show what it does about one event.
    async fn repair(self, app: &App) -> Result<(), Error> {
        views::caught_up(app.pool(), self.views()).await?;
        let context = &reaction(Uuid::now_v7());
        match self {
            Self::Departures => {
                app.erase_traces(context).await?;
                app.remove_outsiders(context, None, None).await?;
                app.lapse_invitations(context, None).await?;
                app.release_tasks(context, None).await
            }
            Self::Deletions => {
                app.end_jobs(context, None).await?;
                app.end_own_jobs(context, None).await?;
                app.remove_schedules(None).await?;
                app.remove_job_rule_slots(None).await
            }
            // What failed long ago is no news.
            Self::Failures => Ok(()),
        }
    }
}

/// An event that something has to follow.
#[derive(FromRow)]
pub struct Cause {
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
    is_repair_due: bool,
}

/// Follows the log for one reaction. Any number of processes may: one at a time does the work.
pub struct Reactor {
    app: App,
    reaction: Reaction,
    holder: Uuid,
}

impl Reactor {
    /// A reactor of this process.
    pub fn new(app: App, reaction: Reaction) -> Self {
        Self { app, reaction, holder: Uuid::now_v7() }
    }

    fn complain(&self, error: &Error) {
        let reactor = self.reaction.checkpoint();
        tracing::error!(error = error as &dyn std::error::Error, reactor, "an event was not followed");
    }

    /// Takes the lease if there is something to do and nobody else is at it.
    async fn take(&self) -> Result<Option<Checkpoint>, sqlx::Error> {
        let reached = views::reached(self.app.pool(), self.reaction.views()).await?;
        sqlx::query_as(
            "UPDATE reactor_checkpoints SET holder = $2, leased_until = now() + make_interval(secs => $3)
             WHERE reactor = $1 AND (holder = $2 OR leased_until IS NULL OR leased_until < now())
               AND (position < $4 OR swept_at IS NULL OR swept_at < now() - make_interval(secs => $5))
             RETURNING position, swept_at IS NULL OR swept_at < now() - make_interval(secs => $5) AS is_repair_due",
        )
        .bind(self.reaction.checkpoint())
        .bind(self.holder)
        .bind(LEASE.as_secs_f64())
        .bind(reached)
        .bind(REPAIR_INTERVAL.as_secs_f64())
        .fetch_optional(self.app.pool())
        .await
    }

    async fn repair(&self) -> Result<(), Error> {
        match self.reaction.repair(&self.app).await {
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            // One that cannot be helped must not keep the others waiting; the next repair finds it again.
            Err(error) => self.complain(&error),
            Ok(()) => {}
        }
        sqlx::query("UPDATE reactor_checkpoints SET swept_at = now() WHERE reactor = $1 AND holder = $2")
            .bind(self.reaction.checkpoint())
            .bind(self.holder)
            .execute(self.app.pool())
            .await?;
        Ok(())
    }
}

impl Follower for Reactor {
    /// The lease is in the row.
    type Claim = ();
    type Item = Cause;

    async fn claim(&mut self) -> anyhow::Result<Option<((), Stretch)>> {
        let Some(Checkpoint { position: after, is_repair_due }) = self.take().await? else { return Ok(None) };
        if is_repair_due {
            self.repair().await?;
        }
        let until = views::reached(self.app.pool(), self.reaction.views()).await?.min(after + STRETCH);
        Ok((until > after).then_some(((), Stretch { after, until })))
    }

    async fn read(&mut self, (): &mut (), Stretch { after, until }: Stretch) -> anyhow::Result<Batch<Cause>> {
        let items: Vec<Cause> = sqlx::query_as(
            "SELECT position, event_id, event_type, aggregate_id::uuid AS aggregate_id,
                    (payload->>'account_id')::uuid AS account_id
             FROM events WHERE position > $1 AND position <= $2 AND event_type = ANY($3)
               AND (event_type <> 'OrganizationUpdated'
                    OR payload->'changes'->'settings'->'to'->>'allow_guests' = 'false')
               AND (event_type <> 'OrganizationMemberAdded' OR payload->>'role' = 'auditor')
             ORDER BY position LIMIT $4",
        )
        .bind(after)
        .bind(until)
        .bind(self.reaction.event_types())
        .bind(BATCH)
        .fetch_all(self.app.pool())
        .await?;
        let is_all = i64::try_from(items.len()).unwrap_or(BATCH) < BATCH;
        let to = if is_all { until } else { items.last().map_or(until, |cause| cause.position) };
        Ok(Batch { items, to, is_more: !is_all || until == after + STRETCH })
    }

    async fn act(&mut self, (): &mut (), batch: &Batch<Cause>) -> anyhow::Result<Acted> {
        let mut done = None;
        for cause in &batch.items {
            match self.reaction.react(&self.app, cause).await {
                Err(error) if error.kind() == Kind::Unavailable => {
                    return Ok(Acted { to: done, failure: Some(error.into()) });
                }
                Err(error) => self.complain(&error),
                Ok(()) => {}
            }
            done = Some(cause.position);
        }
        Ok(Acted { to: Some(batch.to), failure: None })
    }

    async fn advance(&mut self, (): (), from: i64, to: i64) -> anyhow::Result<()> {
        sqlx::query(
            "UPDATE reactor_checkpoints SET position = $4 WHERE reactor = $1 AND holder = $2 AND position = $3",
        )
        .bind(self.reaction.checkpoint())
        .bind(self.holder)
        .bind(from)
        .bind(to)
        .execute(self.app.pool())
        .await?;
        Ok(())
    }

    async fn wind_down(&mut self) {
        release(self.app.pool(), self.reaction.checkpoint(), self.holder).await;
    }
}

/// Gives up a lease, for others to go on at once.
pub async fn release(pool: &PgPool, reactor: &str, holder: Uuid) {
    let released = sqlx::query("UPDATE reactor_checkpoints SET leased_until = NULL WHERE reactor = $1 AND holder = $2")
        .bind(reactor)
        .bind(holder)
        .execute(pool)
        .await;
    if let Err(error) = released {
        tracing::debug!(error = &error as &dyn std::error::Error, reactor, "a lease was not given up");
    }
}
