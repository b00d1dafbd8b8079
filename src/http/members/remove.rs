//! `DELETE /projects/{project_id}/members/{user_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::{AccountId, ProjectId};

use crate::{
    application::{Error, members::RemoveMember},
    http::{
        State,
        extract::{Caller, IfMatch, Path},
        reply::gone,
    },
};

/// Take a member off a project; on oneself, leave it.
#[utoipa::path(delete, path = "/projects/{project_id}/members/{user_id}", tag = "members",
    params(("project_id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses((status = 204, description = "Removed")))]
pub async fn remove(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, user_id)): Path<(Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
) -> Result<Response, Error> {
    let command = RemoveMember { project_id: ProjectId(project_id), account_id: AccountId(user_id), if_version };
    let done = state.app.remove_member(&caller.context, &command).await?;
    Ok(gone(done.position, done.visible, done.reply))
}
