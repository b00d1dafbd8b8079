//! Tasks of members who have left: nobody has them any more.
//!
//! Whoever removes a member sees to it before the reply. Should the process die in between, [`follow`] finds what was
//! left. New tasks cannot be given to somebody who has left: each assignment is guarded by the roster.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::{AccountId, ProjectId, TaskId},
};
use workroom_projections::{log, tasks};

use super::RemoveMember;
use crate::application::{App, Context, Done, Error, tasks::UnassignTask};

const INTERVAL: Duration = Duration::from_secs(2);
const BATCH: i64 = 500;

impl App {
    /// Takes a member off a project, and their open tasks from them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn remove_member(&self, context: &Context, command: &RemoveMember) -> Result<Done<i64>, Error> {
        let done = self.run(context, command).await?;
        let released = self.release_tasks(context.correlation_id, Some((command.project_id, command.account_id))).await;
        if let Err(error) = released {
            // The removal stands; `follow` does the rest.
            tracing::warn!(error = &error as &dyn std::error::Error, "tasks of a removed member are still assigned");
        }
        Ok(done)
    }

    /// Takes open tasks from those who are no longer members: of one of them in one project, or of all.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn release_tasks(&self, correlation_id: Uuid, of: Option<(ProjectId, AccountId)>) -> Result<(), Error> {
        let of = of.map(|(project, account)| (project.into(), account.into()));
        let context = Context::new(Actor::System(SystemActor::Reconciler), correlation_id);
        loop {
            let assigned = tasks::assigned_to_departed(self.pool(), of, BATCH).await?;
            let is_last = i64::try_from(assigned.len()).unwrap_or(BATCH) < BATCH;
            let released = assigned.into_iter().map(|(project, task, assignee)| {
                let (app, context) = (self.clone(), context.clone());
                async move {
                    let unassign = UnassignTask {
                        project_id: ProjectId(project),
                        task_id: TaskId(task),
                        assignee_id: AccountId(assignee),
                    };
                    app.run(&context, &unassign).await
                }
            });
            futures::future::try_join_all(released).await?;
            if is_last {
                return Ok(());
            }
        }
    }
}

/// Finds tasks of members who left while nobody saw to them, until told to stop.
pub async fn follow(app: App, shutdown: CancellationToken) {
    let mut seen = None;
    loop {
        match catch_up(&app, seen).await {
            Ok(position) => seen = Some(position),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "departures cannot be followed"),
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// At first all there are; then only those who have left since.
async fn catch_up(app: &App, seen: Option<i64>) -> Result<i64, Error> {
    let head = log::head(app.pool()).await?;
    let Some(seen) = seen else {
        app.release_tasks(Uuid::now_v7(), None).await?;
        return Ok(head);
    };
    // Not further than the views show: the tasks are looked up there.
    if seen < head && app.visible(head).await {
        for (project, account) in departed(app.pool(), seen, head).await? {
            app.release_tasks(Uuid::now_v7(), Some((ProjectId(project), AccountId(account)))).await?;
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
