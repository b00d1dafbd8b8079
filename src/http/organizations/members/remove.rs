//! `DELETE /organizations/{organization_id}/members/{user_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::{AccountId, OrganizationId};

use crate::{
    application::{Error, organizations::RemoveOrganizationMember, reactor::Demoted},
    http::{
        State,
        extract::{Caller, IfMatch, Path},
        reply::{gone, with_ended_invitations},
    },
};

/// Take a member off an organization; on oneself, leave it. Where it takes no guests, its projects are left
/// with it, and what only they owned goes to an admin.
#[utoipa::path(delete, path = "/organizations/{organization_id}/members/{user_id}", tag = "organizations",
    params(("organization_id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses((status = 204, description = "Removed; invitations that they sent end",
        headers(("Workroom-Ended-Invitations" = Option<String>, description = "Ids of the member's open invitations that ended with it, separated by commas; at most a hundred")))))]
pub async fn remove_member(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((organization_id, user_id)): Path<(Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
) -> Result<Response, Error> {
    let (organization_id, account_id) = (OrganizationId(organization_id), AccountId(user_id));
    let command = RemoveOrganizationMember { organization_id, account_id, if_version };
    let Demoted { done, ended_invitations } = state.app.remove_organization_member(&caller.context, &command).await?;
    Ok(with_ended_invitations(gone(done.position, done.visible, done.reply), &ended_invitations))
}
