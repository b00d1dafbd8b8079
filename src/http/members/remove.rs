//! `DELETE /projects/{project_id}/members/{user_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::{AccountId, ProjectId};

use crate::{
    application::{Error, members::RemoveMember, reactor::Demoted},
    http::{
        State,
        extract::{Caller, IfMatch, Path},
        reply::{gone, with_ended_invitations},
    },
};

/// Take a member off a project; on oneself, leave it. Open invitations that they sent end with it.
#[utoipa::path(delete, path = "/projects/{project_id}/members/{user_id}", tag = "members",
    params(("project_id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses((status = 204, description = "Removed; invitations that they sent end",
        headers(("Workroom-Ended-Invitations" = Option<String>, description = "Ids of the member's open invitations that ended with it, separated by commas; at most a hundred")))))]
pub async fn remove(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, user_id)): Path<(Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
) -> Result<Response, Error> {
    let command = RemoveMember { project_id: ProjectId(project_id), account_id: AccountId(user_id), if_version };
    let Demoted { done, ended_invitations } = state.app.remove_member(&caller.context, &command).await?;
    Ok(with_ended_invitations(gone(done.position, done.visible, done.reply), &ended_invitations))
}
