//! `PATCH` and `PUT /organizations/{organization_id}`: both change only the given fields.

use axum::{extract::State as Extract, response::Response};
use futures::TryFutureExt;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    Decide,
    ids::OrganizationId,
    organization::{self, ImageUrl, OrganizationPatch},
    text::Name,
};
use workroom_projections::{
    history::{self, Which},
    organizations,
};

use super::{
    create::slug,
    model::{Facts, Organization, OrganizationSettingsRequest},
};
use crate::{
    application::{
        Error, in_field,
        organizations::{UpdateOrganization, UpdatedOrganization},
    },
    http::{
        State,
        beside::Before,
        extract::{Caller, IfMatch, Json, Path, given},
        reply::changed,
    },
};

const ORGANIZATION: &str = organization::Organization::TYPE;

/// The fields to change. The picture may be set to null, which clears it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateOrganizationRequest {
    /// New name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// New short name.
    #[schema(min_length = 2, max_length = 64, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    slug: Option<String>,
    /// New picture.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    image_url: Option<Option<String>>,
    /// New settings; those not given stay.
    #[serde(default)]
    settings: OrganizationSettingsRequest,
}

impl UpdateOrganizationRequest {
    fn patch(&self) -> Result<OrganizationPatch, Error> {
        let image_url = match &self.image_url {
            Some(Some(address)) => Some(Some(ImageUrl::parse(address).map_err(in_field("/image_url"))?)),
            Some(None) => Some(None),
            None => None,
        };
        Ok(OrganizationPatch {
            name: self.name.as_deref().map(Name::parse).transpose().map_err(in_field("/name"))?,
            slug: self.slug.as_deref().map(slug).transpose()?,
            image_url,
            members_can_create_projects: self.settings.members_can_create_projects,
            allow_guests: self.settings.allow_guests,
        })
    }
}

/// Change the given fields of an organization.
#[utoipa::path(patch, path = "/organizations/{organization_id}", tag = "organizations",
    params(("organization_id" = Uuid, Path)), request_body = UpdateOrganizationRequest,
    responses((status = 200, description = "The organization afterwards", body = Organization)))]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(organization_id): Path<Uuid>,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateOrganizationRequest>,
) -> Result<Response, Error> {
    let patch = request.patch()?;
    let command = UpdateOrganization { organization_id: OrganizationId(organization_id), patch, if_version };
    let account_id = caller.identity.account_id;
    let look = organizations::find(state.app.pool(), OrganizationId(organization_id), account_id);
    let look = look.map_ok(|found| found.map(|found| found.organization));
    let before = Before::read(&caller, look, state.app.creation(ORGANIZATION, organization_id)).await?;
    let done = state.app.update_organization(&caller.context, &command).await?;
    let UpdatedOrganization { state: updated, version, changed: is_new } = done.reply;
    // Its members count for its version, but not for when it was updated.
    let event_types = &["OrganizationCreated", "OrganizationUpdated"];
    let which = Which { aggregate_type: ORGANIZATION, aggregate_id: organization_id, event_types, naming: None };
    let log = history::last_cause(state.app.pool(), which);
    let facts = Facts {
        id: organization_id,
        role: updated.role_of(account_id),
        created_at: before.creation.at,
        updated_at: before.last_change(&caller, is_new, version, log).await?.at,
        version,
    };
    Ok(changed(done.position, done.visible, version, &Organization::of(&facts, &updated)))
}
