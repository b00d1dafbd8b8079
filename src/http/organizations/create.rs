//! `POST /organizations`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::OrganizationId,
    organization::{ImageUrl, Slug},
    text::Name,
};

use super::model::{Organization, OrganizationSettingsRequest};
use crate::{
    application::{Error, all, at_pointer, organizations::CreateOrganization},
    http::{
        State,
        extract::{Body, Caller, ClientKey, OrganizationPath, RequestBody},
        reply::{Created, rendered},
    },
};

/// An organization to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOrganizationRequest {
    /// The organization's name.
    #[schema(example = "Acme", min_length = 1, max_length = 200)]
    name: String,
    /// The short name in its address; made of the name when not given.
    #[schema(example = "acme", min_length = 2, max_length = 64, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    slug: Option<String>,
    /// The address of the organization's picture, http or https.
    #[schema(max_length = 2048)]
    image_url: Option<String>,
    /// Its settings; those that are left out have their defaults.
    #[serde(default)]
    settings: OrganizationSettingsRequest,
}

impl RequestBody for CreateOrganizationRequest {
    const CLEARABLE: &'static [&'static str] = &["image_url"];
}

pub(super) fn slug(text: &str) -> Result<Slug, Error> {
    Slug::parse(text).map_err(at_pointer("/slug"))
}

/// Create an organization, with the caller as its admin.
#[utoipa::path(post, path = "/organizations", tag = "organizations", operation_id = "createOrganization")]
pub async fn create(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
    Body { value, bytes }: Body<CreateOrganizationRequest>,
) -> Result<Created<Organization>, Error> {
    let id = Uuid::now_v7();
    let (name, slug, image_url) = all((
        Name::parse(&value.name).map_err(at_pointer("/name")),
        value.slug.as_deref().map(slug).transpose(),
        value.image_url.as_deref().map(ImageUrl::parse).transpose().map_err(at_pointer("/image_url")),
    ))?;
    let command = CreateOrganization {
        organization_id: OrganizationId(id),
        name,
        slug,
        image_url,
        members_can_create_projects: value.settings.members_can_create_projects.unwrap_or_default(),
        allow_guests: value.settings.allow_guests.unwrap_or_default(),
    };
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let now = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |created| {
            let organization = Organization::new(id, &created.fields, created.version, now);
            let location = OrganizationPath { organization_id: command.organization_id }.location();
            rendered(StatusCode::CREATED, Some(location), Some(created.version), &organization)
        })
        .await
        .map(Created::from)
}
