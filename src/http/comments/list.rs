//! `GET /projects/{project_id}/tasks/{task_id}/comments`

use axum::{Json, extract::State as Extract};
use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{ProjectId, TaskId},
};
use workroom_projections::{comments, tasks};

use super::model::Comment;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Path, Query},
        page::{Items, PageParams},
        reply::at_position,
    },
};

/// The comments on a task, in the order in which they were made.
#[utoipa::path(get, path = "/projects/{project_id}/tasks/{task_id}/comments", tag = "comments",
    params(("project_id" = Uuid, Path), ("task_id" = Uuid, Path), PageParams),
    responses((status = 200, description = "A part of the list", body = Items<Comment>)))]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, task_id)): Path<(Uuid, Uuid)>,
    Query(params): Query<PageParams>,
) -> Result<Json<Items<Comment>>, Error> {
    at_position(&state, params.min_position).await?;
    let page = params.page()?;
    let account_id = caller.identity.account_id;
    let pool = state.app.pool();
    let look = async {
        tokio::try_join!(
            tasks::find(pool, ProjectId(project_id), TaskId(task_id)),
            comments::list(pool, TaskId(task_id), page)
        )
    };
    let (project, (task, listed)) =
        state.app.project_then(account_id, ProjectId(project_id), Action::ViewTasks, page.skip, look).await?;
    task.ok_or(Error::not_found("task"))?;
    let is_member = project.relation.role().is_some();
    Items::of(listed, |row| {
        let comment = Comment::from(row);
        Ok(if is_member { comment } else { comment.for_visitors() })
    })
    .map(Json)
}
