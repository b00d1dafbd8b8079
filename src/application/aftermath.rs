//! What has to follow a command, and is not part of its step: tasks of members who have left are nobody's, and jobs of
//! projects that were deleted are over. There may be any number of them, each an aggregate of its own.
//!
//! Whoever gives the command sees to it before the reply. Should the process die in between, [`follow`] finds what was
//! left. Nothing new can come behind it: each assignment, and each submission, is guarded by the roster.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::{AccountId, JobId, ProjectId, TaskId},
    job::CancelReason,
};
use workroom_projections::{jobs, log, tasks};

use super::{
    App, Context, Done, Error,
    jobs::{CancelJob, RevokeLease},
    members::RemoveMember,
    projects::DeleteProject,
    tasks::UnassignTask,
};

const INTERVAL: Duration = Duration::from_secs(2);
const BATCH: i64 = 500;

impl App {
    /// Takes a member off a project, and their open tasks from them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn remove_member(&self, context: &Context, command: &RemoveMember) -> Result<Done<i64>, Error> {
        let done = self.run(context, command).await?;
        let of = Some((command.project_id, command.account_id));
        if let Err(error) = self.release_tasks(context.correlation_id, of).await {
            // The removal stands; `follow` does the rest.
            tracing::warn!(error = &error as &dyn std::error::Error, "tasks of a removed member are still assigned");
        }
        Ok(done)
    }

    /// Deletes a project, and ends its jobs.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_project(&self, context: &Context, command: &DeleteProject) -> Result<Done<i64>, Error> {
        let done = self.run(context, command).await?;
        if let Err(error) = self.end_jobs(context.correlation_id, Some(command.project_id)).await {
            // The deletion stands; `follow` does the rest.
            tracing::warn!(error = &error as &dyn std::error::Error, "jobs of a deleted project are still going on");
        }
        Ok(done)
    }

    /// Takes open tasks from those who are no longer members: of one of them in one project, or of all.
    async fn release_tasks(&self, correlation_id: Uuid, of: Option<(ProjectId, AccountId)>) -> Result<(), Error> {
        let of = of.map(|(project, account)| (project.into(), account.into()));
        let context = Context::new(Actor::System(SystemActor::Reconciler), correlation_id);
        let context = &context;
        let find = || tasks::assigned_to_departed(self.pool(), of, BATCH);
        repeat_until_none(find, |(project, task, assignee)| async move {
            let unassign = UnassignTask {
                project_id: ProjectId(project),
                task_id: TaskId(task),
                assignee_id: AccountId(assignee),
            };
            self.run(context, &unassign).await
        })
        .await
    }

    /// Ends the jobs of a deleted project, or of all.
    async fn end_jobs(&self, correlation_id: Uuid, of: Option<ProjectId>) -> Result<(), Error> {
        let context = Context::new(Actor::System(SystemActor::Reconciler), correlation_id);
        let context = &context;
        let find = || jobs::open_in_deleted(self.pool(), of.map(Into::into), BATCH);
        repeat_until_none(find, |job| async move {
            let cancel = CancelJob { job_id: JobId(job), reason: CancelReason::ProjectDeleted };
            self.run_with_tables(context, &cancel, &RevokeLease { job_id: JobId(job) }).await
        })
        .await
    }
}

/// Does something about everything that is found, until nothing is. What the views do not show in time would be found
/// again and again: then it is for [`follow`] to come back.
async fn repeat_until_none<T, Found, Acted>(find: impl Fn() -> Found, act: impl Fn(T) -> Acted) -> Result<(), Error>
where
    Found: Future<Output = Result<Vec<T>, sqlx::Error>>,
    Acted: Future<Output = Result<Done<()>, Error>>,
{
    loop {
        let found = find().await?;
        let is_last = i64::try_from(found.len()).unwrap_or(BATCH) < BATCH;
        let done = futures::future::try_join_all(found.into_iter().map(&act)).await?;
        if !done.iter().all(|done| done.visible) {
            return Err(Error::Busy { detail: "the read models are behind", retry_after: INTERVAL });
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Finds what commands have left behind that nobody saw to, until told to stop.
pub async fn follow(app: App, shutdown: CancellationToken) {
    let mut seen = None;
    loop {
        match catch_up(&app, seen).await {
            Ok(position) => seen = Some(position),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "the aftermath cannot be seen to"),
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// At first all there is; then only what has happened since.
async fn catch_up(app: &App, seen: Option<i64>) -> Result<i64, Error> {
    let head = log::head(app.pool()).await?;
    let Some(seen) = seen else {
        app.release_tasks(Uuid::now_v7(), None).await?;
        app.end_jobs(Uuid::now_v7(), None).await?;
        return Ok(head);
    };
    // Not further than the views show: tasks and jobs are looked up there.
    if seen < head && app.visible(head).await {
        for (project, account) in departed(app.pool(), seen, head).await? {
            app.release_tasks(Uuid::now_v7(), Some((ProjectId(project), AccountId(account)))).await?;
        }
        for project in deleted(app.pool(), seen, head).await? {
            app.end_jobs(Uuid::now_v7(), Some(ProjectId(project))).await?;
        }
        return Ok(head);
    }
    Ok(seen)
}

async fn departed(pool: &PgPool, after: i64, until: i64) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT DISTINCT aggregate_id::uuid, (payload->>'account_id')::uuid FROM events
         WHERE position > $1 AND position <= $2 AND event_type = 'MemberRemoved'",
    )
    .bind(after)
    .bind(until)
    .fetch_all(pool)
    .await
}

async fn deleted(pool: &PgPool, after: i64, until: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT aggregate_id::uuid FROM events
         WHERE position > $1 AND position <= $2 AND event_type = 'ProjectDeleted'",
    )
    .bind(after)
    .bind(until)
    .fetch_all(pool)
    .await
}
