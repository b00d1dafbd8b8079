//! `DELETE /projects/{project_id}/invitations/{invitation_id}` and
//! `DELETE /organizations/{organization_id}/invitations/{invitation_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::{InvitationId, OrganizationId, ProjectId};

use crate::{
    application::{
        Error,
        invitations::{DeleteInvitation, Host, RevokeInvitation},
    },
    http::{
        State,
        extract::{Caller, Path},
        reply::done,
    },
};

/// Take an invitation to a project back.
#[utoipa::path(delete, path = "/projects/{project_id}/invitations/{invitation_id}", tag = "invitations",
    params(("project_id" = Uuid, Path), ("invitation_id" = Uuid, Path)),
    responses((status = 204, description = "Taken back")))]
pub async fn revoke_invitation(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, id)): Path<(Uuid, Uuid)>,
) -> Result<Response, Error> {
    revoke(&state, &caller, Host::Project(ProjectId(project_id)), InvitationId(id)).await
}

/// Take an invitation to an organization back.
#[utoipa::path(delete, path = "/organizations/{organization_id}/invitations/{invitation_id}", tag = "invitations",
    params(("organization_id" = Uuid, Path), ("invitation_id" = Uuid, Path)),
    responses((status = 204, description = "Taken back")))]
pub async fn revoke_organization_invitation(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((organization_id, id)): Path<(Uuid, Uuid)>,
) -> Result<Response, Error> {
    revoke(&state, &caller, Host::Organization(OrganizationId(organization_id)), InvitationId(id)).await
}

async fn revoke(state: &State, caller: &Caller, host: Host, invitation_id: InvitationId) -> Result<Response, Error> {
    let command = RevokeInvitation { host, invitation_id };
    let revoked = state.app.run_with_tables(&caller.context, &command, &DeleteInvitation(invitation_id)).await?;
    Ok(done(revoked.position, revoked.visible))
}
