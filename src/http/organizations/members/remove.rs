//! `DELETE /organizations/{organization_id}/members/{user_id}`

use axum::extract::State as Extract;

use crate::{
    application::{Error, organizations::RemoveOrganizationMember, reactor::Demoted},
    http::{
        State,
        extract::{Caller, IfMatch, OrganizationMemberPath},
        reply::{Deleted, WithEndedInvitations},
    },
};

/// Take a member off an organization; on oneself, leave it. Where it takes no guests, its projects are left
/// with it, and what only they owned goes to an admin.
#[utoipa::path(
    delete,
    path = "/organizations/{organization_id}/members/{user_id}",
    tag = "organizations",
    operation_id = "removeOrganizationMember"
)]
pub async fn remove_member(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationMemberPath { organization_id, user_id }: OrganizationMemberPath,
    IfMatch(if_version): IfMatch,
) -> Result<WithEndedInvitations<Deleted>, Error> {
    let (organization_id, account_id) = (organization_id, user_id);
    let command = RemoveOrganizationMember { organization_id, account_id, if_version };
    let Demoted { done, ended_invitations } = state.app.remove_organization_member(&caller.context, &command).await?;
    let reply = Deleted::new(done.position, done.visible, done.reply);
    Ok(WithEndedInvitations { reply, ended: ended_invitations })
}
