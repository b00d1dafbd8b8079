//! `GET /projects/{project_id}/invitations/{invitation_id}` and
//! `GET /organizations/{organization_id}/invitations/{invitation_id}`

use axum::extract::State as Extract;
use workroom_domain::ids::InvitationId;

use super::model::Invitation;
use crate::{
    application::{
        Error,
        invitations::{self, Host},
    },
    http::{
        State,
        extract::{Caller, IfNoneMatch, InvitationPath, OrganizationInvitationPath, Query},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Representation, at_position},
    },
};

/// An invitation never changes; it is answered or taken back.
const VERSION: i64 = 1;

/// One invitation to a project.
#[utoipa::path(get, path = "/projects/{project_id}/invitations/{invitation_id}", tag = "invitations",
    operation_id = "getInvitation", responses((status = 403)))]
pub async fn read_invitation(
    Extract(state): Extract<State>,
    caller: Caller,
    InvitationPath { project_id, invitation_id }: InvitationPath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Invitation>, Error> {
    at_position(&state, params.min_position).await?;
    read(&state, &caller, Host::Project(project_id), invitation_id, &known).await
}

/// One invitation to an organization.
#[utoipa::path(get, path = "/organizations/{organization_id}/invitations/{invitation_id}", tag = "invitations",
    operation_id = "getOrganizationInvitation", responses((status = 403)))]
pub async fn read_organization_invitation(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationInvitationPath { organization_id, invitation_id }: OrganizationInvitationPath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Invitation>, Error> {
    at_position(&state, params.min_position).await?;
    read(&state, &caller, Host::Organization(organization_id), invitation_id, &known).await
}

async fn read(
    state: &State,
    caller: &Caller,
    host: Host,
    id: InvitationId,
    known: &IfNoneMatch,
) -> Result<OkOrNotModified<Invitation>, Error> {
    super::check(state, caller, host).await?;
    let row = invitations::find(state.app.pool(), host, id).await?.ok_or(Error::not_found("invitation"))?;
    OkOrNotModified::new(known, VERSION, Representation::ByVersion, &Invitation::from(row))
}
