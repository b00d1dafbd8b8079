//! `PATCH` and `PUT /organizations/{organization_id}`: both change only the given fields.

use axum::extract::State as Extract;
use futures::TryFutureExt;
use serde::Deserialize;
use utoipa::ToSchema;
use workroom_domain::{
    Decide,
    organization::{self, ImageUrl, OrganizationPatch, OrganizationSettingsPatch},
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
        Error, all, at_pointer,
        organizations::{UpdateOrganization, UpdatedOrganization},
    },
    http::{
        State,
        beside::Before,
        extract::{Caller, IfMatch, Json, OrganizationPath, RequestBody, double_option},
        reply::Updated,
    },
};

const ORGANIZATION: &str = organization::Organization::TYPE;

/// The fields to change. The picture may be set to null, which clears it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateOrganizationRequest {
    /// The new name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// The new short name (slug), which no other organization may have.
    #[schema(min_length = 2, max_length = 64, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    slug: Option<String>,
    /// The address of the new picture; null removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    image_url: Option<Option<String>>,
    /// New settings; those not given stay.
    #[serde(default)]
    settings: OrganizationSettingsRequest,
}

impl RequestBody for UpdateOrganizationRequest {
    const CLEARABLE: &'static [&'static str] = &["image_url"];
}

impl UpdateOrganizationRequest {
    fn patch(&self) -> Result<OrganizationPatch, Error> {
        let image_url = match &self.image_url {
            Some(Some(address)) => {
                ImageUrl::parse(address).map(|url| Some(Some(url))).map_err(at_pointer("/image_url"))
            }
            Some(None) => Ok(Some(None)),
            None => Ok(None),
        };
        let (name, slug, image_url) = all((
            self.name.as_deref().map(Name::parse).transpose().map_err(at_pointer("/name")),
            self.slug.as_deref().map(slug).transpose(),
            image_url,
        ))?;
        Ok(OrganizationPatch {
            name,
            slug,
            image_url,
            settings: OrganizationSettingsPatch {
                members_can_create_projects: self.settings.members_can_create_projects,
                allow_guests: self.settings.allow_guests,
                ..OrganizationSettingsPatch::default()
            },
        })
    }
}

/// Change the given fields of an organization.
#[utoipa::path(
    method(patch, put),
    path = "/organizations/{organization_id}",
    tag = "organizations",
    operation_id = "updateOrganization"
)]
pub async fn update(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<UpdateOrganizationRequest>,
) -> Result<Updated<Organization>, Error> {
    let patch = request.patch()?;
    let command = UpdateOrganization { organization_id, patch, if_version };
    let account_id = caller.identity.account_id;
    let look = organizations::find(state.app.pool(), organization_id, account_id);
    let look = look.map_ok(|found| found.map(|found| found.organization));
    let before = Before::read(&caller, look, state.app.creation(ORGANIZATION, organization_id.into())).await?;
    let done = state.app.update_organization(&caller.context, &command).await?;
    let UpdatedOrganization { state: updated, version, changed: is_new } = done.reply;
    // Its members count for its version, but not for when it was updated.
    let event_types = &["OrganizationCreated", "OrganizationUpdated"];
    let which = Which { aggregate_type: ORGANIZATION, aggregate_id: organization_id.into(), event_types, naming: None };
    let log = history::last_cause(state.app.pool(), which);
    let facts = Facts {
        id: organization_id.into(),
        role: updated.role_of(account_id),
        created_at: before.creation.at,
        updated_at: before.last_change(&caller, is_new, version, log).await?.at,
        version,
    };
    Ok(Updated::new(done.position, done.visible, version, &Organization::of(&facts, &updated)))
}
