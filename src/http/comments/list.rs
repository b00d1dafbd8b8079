//! `GET /projects/{project_id}/tasks/{task_id}/comments`

use axum::extract::State as Extract;
use workroom_domain::access::Action;
use workroom_projections::{comments, tasks};

use super::model::Comment;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Query, TaskPath},
        page::{Items, PageParams},
        reply::{List, at_position},
    },
};

/// The comments on a task, in the order in which they were made.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/tasks/{task_id}/comments",
    tag = "comments",
    operation_id = "listComments"
)]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    TaskPath { project_id, task_id }: TaskPath,
    Query(params): Query<PageParams>,
) -> Result<List<Comment>, Error> {
    at_position(&state, params.min_position).await?;
    let page = params.page()?;
    let account_id = caller.identity.account_id;
    let pool = state.app.pool();
    let look = async { tokio::try_join!(tasks::find(pool, project_id, task_id), comments::list(pool, task_id, page)) };
    let (project, (task, listed)) =
        state.app.project_then(account_id, project_id, Action::ViewTasks, page.skip, look).await?;
    task.ok_or(Error::not_found("task"))?;
    let is_member = project.relation.role().is_some();
    Items::of(listed, |row| {
        let comment = Comment::from(row);
        Ok(if is_member { comment } else { comment.for_visitors() })
    })
    .map(List::from)
}
