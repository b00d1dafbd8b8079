//! `DELETE /projects/{project_id}/invitations/{invitation_id}` and
//! `DELETE /organizations/{organization_id}/invitations/{invitation_id}`

use axum::extract::State as Extract;
use workroom_domain::ids::InvitationId;

use crate::{
    application::{
        Error,
        invitations::{DeleteInvitation, Host, RevokeInvitation},
    },
    http::{
        State,
        extract::{Caller, InvitationPath, OrganizationInvitationPath},
        reply::NoContent,
    },
};

/// Take an invitation to a project back.
#[utoipa::path(
    delete,
    path = "/projects/{project_id}/invitations/{invitation_id}",
    tag = "invitations",
    operation_id = "revokeInvitation"
)]
pub async fn revoke_invitation(
    Extract(state): Extract<State>,
    caller: Caller,
    InvitationPath { project_id, invitation_id }: InvitationPath,
) -> Result<NoContent, Error> {
    revoke(&state, &caller, Host::Project(project_id), invitation_id).await
}

/// Take an invitation to an organization back.
#[utoipa::path(
    delete,
    path = "/organizations/{organization_id}/invitations/{invitation_id}",
    tag = "invitations",
    operation_id = "revokeOrganizationInvitation"
)]
pub async fn revoke_organization_invitation(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationInvitationPath { organization_id, invitation_id }: OrganizationInvitationPath,
) -> Result<NoContent, Error> {
    revoke(&state, &caller, Host::Organization(organization_id), invitation_id).await
}

async fn revoke(state: &State, caller: &Caller, host: Host, invitation_id: InvitationId) -> Result<NoContent, Error> {
    let command = RevokeInvitation { host, invitation_id };
    let revoked = state.app.run_with_tables(&caller.context, &command, &DeleteInvitation(invitation_id)).await?;
    Ok(NoContent::new(revoked.position, revoked.visible))
}
