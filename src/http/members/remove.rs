//! `DELETE /projects/{project_id}/members/{user_id}`

use axum::extract::State as Extract;

use crate::{
    application::{Error, members::RemoveMember, reactor::Demoted},
    http::{
        State,
        extract::{Caller, IfMatch, MemberPath},
        reply::{Deleted, WithEndedInvitations},
    },
};

/// Take a member off a project; on oneself, leave it. Open invitations that they sent end with it.
#[utoipa::path(
    delete,
    path = "/projects/{project_id}/members/{user_id}",
    tag = "members",
    operation_id = "removeMember"
)]
pub async fn remove(
    Extract(state): Extract<State>,
    caller: Caller,
    MemberPath { project_id, user_id }: MemberPath,
    IfMatch(if_version): IfMatch,
) -> Result<WithEndedInvitations<Deleted>, Error> {
    let command = RemoveMember { project_id, account_id: user_id, if_version };
    let Demoted { done, ended_invitations } = state.app.remove_member(&caller.context, &command).await?;
    let reply = Deleted::new(done.position, done.visible, done.reply);
    Ok(WithEndedInvitations { reply, ended: ended_invitations })
}
