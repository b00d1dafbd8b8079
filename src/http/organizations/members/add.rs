//! `POST /organizations/{organization_id}/members`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{access, ids::OrganizationId};

use crate::{
    application::{Answer, Error, organizations::AddOrganizationMember, people::AccountRef},
    http::{
        State,
        extract::{Body, Caller, ClientKey, Path},
        organizations::model::{OrganizationMember, OrganizationRole},
        reply::rendered,
    },
    identity::email::EmailAddress,
};

/// Whom to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddOrganizationMemberRequest {
    /// The account's e-mail address.
    #[schema(example = "grace@example.com")]
    email: String,
    /// As what; a member when not given.
    role: Option<OrganizationRole>,
}

/// Add a member to an organization.
#[utoipa::path(post, path = "/organizations/{organization_id}/members", tag = "organizations",
    params(("organization_id" = Uuid, Path)), request_body = AddOrganizationMemberRequest,
    responses((status = 201, description = "Added", body = OrganizationMember)))]
pub async fn add_member(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(organization_id): Path<Uuid>,
    key: ClientKey,
    Body { value, bytes }: Body<AddOrganizationMemberRequest>,
) -> Result<Answer, Error> {
    let email = EmailAddress::parse(&value.email).map_err(|error| Error::invalid("/email", error.to_string()))?;
    let role = value.role.map_or(access::OrganizationRole::Member, Into::into);
    let command = AddOrganizationMember {
        organization_id: OrganizationId(organization_id),
        account: AccountRef::Email(email.normalized().to_owned()),
        role,
    };
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let now = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |added| {
            let account = added.account.clone();
            let location = format!("/api/v1/organizations/{organization_id}/members/{}", account.id);
            let member = OrganizationMember {
                user_id: account.id,
                role: role.as_str().to_owned(),
                email: account.email,
                username: Some(account.username),
                full_name: account.full_name,
                added_at: now,
            };
            rendered(StatusCode::CREATED, Some(location), Some(added.version), &member)
        })
        .await
}
