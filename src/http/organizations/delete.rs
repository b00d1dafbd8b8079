//! `DELETE /organizations/{organization_id}`

use axum::{extract::State as Extract, response::Response};
use uuid::Uuid;
use workroom_domain::ids::OrganizationId;

use crate::{
    application::{Error, organizations::DeleteOrganization},
    http::{
        State,
        extract::{Caller, IfMatch, Path},
        reply::gone,
    },
};

/// Delete an organization that has no projects any more.
#[utoipa::path(delete, path = "/organizations/{organization_id}", tag = "organizations",
    params(("organization_id" = Uuid, Path)), responses((status = 204, description = "Deleted")))]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(organization_id): Path<Uuid>,
    IfMatch(if_version): IfMatch,
) -> Result<Response, Error> {
    let command = DeleteOrganization { organization_id: OrganizationId(organization_id), if_version };
    let done = state.app.run(&caller.context, &command).await?;
    Ok(gone(done.position, done.visible, done.reply))
}
