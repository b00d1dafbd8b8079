//! `GET /projects/{project_id}/tasks/{task_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{ProjectId, TaskId},
};
use workroom_projections::tasks;

use super::model::Task;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, IfNoneMatch, Path, Query},
        projects::read::ReadParams,
        reply::{Sight, at_position, found_unless},
    },
};

/// One task.
#[utoipa::path(get, path = "/projects/{project_id}/tasks/{task_id}", tag = "tasks",
    params(("project_id" = Uuid, Path), ("task_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The task", body = Task),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, task_id)): Path<(Uuid, Uuid)>,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let look = tasks::find(state.app.pool(), ProjectId(project_id), TaskId(task_id));
    let (project, row) = state.app.project_with(account_id, ProjectId(project_id), Action::ViewTasks, look).await?;
    let task = Task::from(row.ok_or(Error::not_found("task"))?);
    let task = if project.relation.role().is_some() { task } else { task.for_visitors() };
    let sight = Sight::more_if(task.comment_count > 0 || task.assignee_id.is_some());
    found_unless(&known, task.version, sight, &task)
}
