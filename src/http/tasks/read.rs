//! `GET /projects/{project_id}/tasks/{task_id}`

use axum::extract::State as Extract;
use workroom_domain::access::Action;
use workroom_projections::tasks;

use super::model::Task;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Query, TaskPath},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// One task, without its comments.
#[utoipa::path(get, path = "/projects/{project_id}/tasks/{task_id}", tag = "tasks", operation_id = "getTask")]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    TaskPath { project_id, task_id }: TaskPath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Task>, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let look = tasks::find(state.app.pool(), project_id, task_id);
    let (project, row) = state.app.project_with(account_id, project_id, Action::ViewTasks, look).await?;
    let task = Task::from(row.ok_or(Error::not_found("task"))?);
    let task = if project.relation.role().is_some() { task } else { task.for_visitors() };
    let representation = Representation::by_content_if(task.comment_count > 0 || task.assignee_id.is_some());
    OkOrNotModified::new(&known, task.version, representation, &task)
}
