//! `DELETE /organizations/{organization_id}`

use axum::extract::State as Extract;

use crate::{
    application::{Error, organizations::DeleteOrganization},
    http::{
        State,
        extract::{Caller, IfMatch, OrganizationPath},
        reply::Deleted,
    },
};

/// Delete an organization that has no projects any more.
#[utoipa::path(
    delete,
    path = "/organizations/{organization_id}",
    tag = "organizations",
    operation_id = "deleteOrganization"
)]
pub async fn delete(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    IfMatch(if_version): IfMatch,
) -> Result<Deleted, Error> {
    let command = DeleteOrganization { organization_id, if_version };
    let done = state.app.run(&caller.context, &command).await?;
    Ok(Deleted::new(done.position, done.visible, done.reply))
}
