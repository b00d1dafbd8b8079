//! `GET /projects/{project_id}/invitations/{invitation_id}` and
//! `GET /organizations/{organization_id}/invitations/{invitation_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::{InvitationId, OrganizationId, ProjectId};

use super::model::Invitation;
use crate::{
    application::{
        Error,
        invitations::{self, Host},
    },
    http::{
        State,
        extract::{Caller, IfNoneMatch, Path},
        reply::{Sight, found_unless},
    },
};

/// An invitation never changes; it is answered or taken back.
const VERSION: i64 = 1;

/// One invitation to a project.
#[utoipa::path(get, path = "/projects/{project_id}/invitations/{invitation_id}", tag = "invitations",
    params(("project_id" = Uuid, Path), ("invitation_id" = Uuid, Path)),
    responses((status = 200, description = "The invitation", body = Invitation),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read_invitation(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((project_id, id)): Path<(Uuid, Uuid)>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    read(&state, &caller, Host::Project(ProjectId(project_id)), id, &known).await
}

/// One invitation to an organization.
#[utoipa::path(get, path = "/organizations/{organization_id}/invitations/{invitation_id}", tag = "invitations",
    params(("organization_id" = Uuid, Path), ("invitation_id" = Uuid, Path)),
    responses((status = 200, description = "The invitation", body = Invitation),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read_organization_invitation(
    Extract(state): Extract<State>,
    caller: Caller,
    Path((organization_id, id)): Path<(Uuid, Uuid)>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    read(&state, &caller, Host::Organization(OrganizationId(organization_id)), id, &known).await
}

async fn read(state: &State, caller: &Caller, host: Host, id: Uuid, known: &IfNoneMatch) -> Result<Response, Error> {
    super::check(state, caller, host).await?;
    let row =
        invitations::find(state.app.pool(), host, InvitationId(id)).await?.ok_or(Error::not_found("invitation"))?;
    found_unless(known, VERSION, Sight::Plain, &Invitation::from(row))
}
