//! `POST /organizations/{organization_id}/members`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    access,
    ids::{AccountId, OrganizationId},
    invitation::Place,
};

use crate::application::in_field;
use crate::{
    application::{
        Answer, Error,
        organizations::{AddOrganizationMember, Welcome},
        people::AccountRef,
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, Path},
        invitations::{self, AddedOrInvited},
        organizations::model::{OrganizationMember, OrganizationRole},
        reply::rendered,
    },
    identity::email::EmailAddress,
    notify::outbox,
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
    /// What to tell them, in the mail that they get.
    #[schema(max_length = 500)]
    message: Option<String>,
}

/// Add a member to an organization, and tell them by mail. An address that is no account's, or that its account has not
/// proven, is invited.
#[utoipa::path(post, path = "/organizations/{organization_id}/members", tag = "organizations",
    params(("organization_id" = Uuid, Path)), request_body = AddOrganizationMemberRequest,
    responses((status = 201, description = "Added, or invited", body = AddedOrInvited<OrganizationMember>)))]
pub async fn add_member(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(organization_id): Path<Uuid>,
    key: ClientKey,
    Body { value, bytes }: Body<AddOrganizationMemberRequest>,
) -> Result<Answer, Error> {
    let email = EmailAddress::parse(&value.email).map_err(in_field("/email"))?;
    let role = value.role.map_or(access::OrganizationRole::Member, Into::into);
    let message = invitations::send::message(value.message.as_deref())?;
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let organization = OrganizationId(organization_id);
    let Some(account) = state.app.account_of_address(email.normalized()).await? else {
        let place = Place::Organization { organization_id: organization, role };
        return invitations::send::send(&state, &caller, place, &email, message, key).await;
    };
    let account_id = AccountId(account.id);
    let account = AccountRef::Email(email.normalized().to_owned());
    let command = AddOrganizationMember { organization_id: organization, account, account_id, role };
    let now = caller.context.now;
    let welcome = Welcome { organization_id: organization, account_id, message, now };
    let answer = state
        .app
        .create_with_tables(&caller.context, &command, &welcome, key, |added| {
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
            let added_or_invited = AddedOrInvited::Added(member);
            rendered(StatusCode::CREATED, Some(location), Some(added.version), &added_or_invited)
        })
        .await?;
    outbox::wake();
    Ok(answer)
}
