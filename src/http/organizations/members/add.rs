//! `POST /organizations/{organization_id}/members`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use workroom_domain::{access, ids::AccountId, invitation::Place};

use crate::application::at_pointer;
use crate::{
    application::{
        Error, all,
        organizations::{AddOrganizationMember, Welcome},
        people::AccountRef,
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, OrganizationMemberPath, OrganizationPath, RequestBody},
        invitations::{self, AddedOrInvited},
        members::MemberStatus,
        organizations::model::{OrganizationMember, OrganizationRole},
        reply::{Created, rendered},
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

impl RequestBody for AddOrganizationMemberRequest {
    const CLEARABLE: &'static [&'static str] = &["message"];
}

/// Add a member to an organization, and tell them by mail. An address that is no account's, or that its account has not
/// proven, is invited.
#[utoipa::path(
    post,
    path = "/organizations/{organization_id}/members",
    tag = "organizations",
    operation_id = "addOrganizationMember"
)]
pub async fn add_member(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    key: ClientKey,
    Body { value, bytes }: Body<AddOrganizationMemberRequest>,
) -> Result<Created<AddedOrInvited<OrganizationMember>>, Error> {
    let (email, message) = all((
        EmailAddress::parse(&value.email).map_err(at_pointer("/email")),
        invitations::send::message(value.message.as_deref()),
    ))?;
    let role = value.role.map_or(access::OrganizationRole::Member, Into::into);
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let organization = organization_id;
    let Some(account) = state.app.account_of_address(email.normalized()).await? else {
        let place = Place::Organization { organization_id: organization, role };
        return invitations::send::send(&state, &caller, place, &email, message, key).await.map(Created::from);
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
            let location = OrganizationMemberPath { organization_id, user_id: account.id.into() }.location();
            let member = OrganizationMember {
                user_id: account.id,
                status: MemberStatus::Active,
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
    Ok(answer.into())
}
