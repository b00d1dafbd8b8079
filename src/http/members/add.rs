//! `POST /projects/{project_id}/members`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{access, ids::ProjectId, invitation::Place};

use super::model::Member;
use crate::application::in_field;
use crate::{
    application::{Answer, Error, members::AddMember, people::AccountRef},
    http::{
        State,
        extract::{Body, Caller, ClientKey, Path},
        invitations::{self, AddedOrInvited},
        projects::Role,
        reply::rendered,
    },
    identity::email::EmailAddress,
};

/// Whom to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMemberRequest {
    /// The account's e-mail address.
    #[schema(example = "grace@example.com")]
    email: String,
    /// As what; a collaborator when not given.
    role: Option<Role>,
    /// What to tell them, in the mail of an invitation.
    #[schema(max_length = 500)]
    message: Option<String>,
}

/// Add a member to a project. An address that is no account's, or that its account has not proven, is invited by mail.
#[utoipa::path(post, path = "/projects/{project_id}/members", tag = "members", params(("project_id" = Uuid, Path)),
    request_body = AddMemberRequest, responses((status = 201, description = "Added, or invited", body = AddedOrInvited<Member>)))]
pub async fn add(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(project_id): Path<Uuid>,
    key: ClientKey,
    Body { value, bytes }: Body<AddMemberRequest>,
) -> Result<Answer, Error> {
    let email = EmailAddress::parse(&value.email).map_err(in_field("/email"))?;
    let role = value.role.map_or(access::Role::Collaborator, Into::into);
    let message = invitations::send::message(value.message.as_deref())?;
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let project = ProjectId(project_id);
    if state.app.account_of_address(email.normalized()).await?.is_none() {
        let place = Place::Project { project_id: project, role };
        return invitations::send::send(&state, &caller, place, &email, message, key).await;
    }
    let account = AccountRef::Email(email.normalized().to_owned());
    let command = AddMember { project_id: project, account, role };
    let now = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |added| {
            let account = added.account.clone();
            let location = format!("/api/v1/projects/{project_id}/members/{}", account.id);
            let member = Member {
                user_id: account.id,
                role: added.role.as_str().to_owned(),
                email: account.email,
                username: Some(account.username),
                full_name: account.full_name,
                added_at: now,
            };
            let added_or_invited = AddedOrInvited::Added(member);
            rendered(StatusCode::CREATED, Some(location), Some(added.version), &added_or_invited)
        })
        .await
}
