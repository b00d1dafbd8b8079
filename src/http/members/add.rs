//! `POST /projects/{project_id}/members`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use workroom_domain::{access, invitation::Place};

use super::model::{Member, MemberStatus};
use crate::application::at_pointer;
use crate::{
    application::{Error, all, members::AddMember, people::AccountRef},
    http::{
        State,
        extract::{Body, Caller, ClientKey, MemberPath, ProjectPath, RequestBody},
        invitations::{self, AddedOrInvited},
        projects::Role,
        reply::{Created, rendered},
    },
    identity::email::EmailAddress,
};

/// Somebody to add to a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMemberRequest {
    /// The e-mail address of whom to add. Without an account that has proven it, it is invited by mail.
    #[schema(example = "grace@example.com")]
    email: String,
    /// As what; a collaborator when not given.
    role: Option<Role>,
    /// What to tell them, in the mail of an invitation.
    #[schema(max_length = 500)]
    message: Option<String>,
}

impl RequestBody for AddMemberRequest {
    const CLEARABLE: &'static [&'static str] = &["message"];
}

/// Add a member to a project. An address that is no account's, or that its account has not proven, is invited by mail.
#[utoipa::path(post, path = "/projects/{project_id}/members", tag = "members",
    operation_id = "addMember", responses((status = 404)))]
pub async fn add(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    key: ClientKey,
    Body { value, bytes }: Body<AddMemberRequest>,
) -> Result<Created<AddedOrInvited<Member>>, Error> {
    let (email, message) = all((
        EmailAddress::parse(&value.email).map_err(at_pointer("/email")),
        invitations::send::message(value.message.as_deref()),
    ))?;
    let role = value.role.map_or(access::Role::Collaborator, Into::into);
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let project = project_id;
    if state.app.account_of_address(email.normalized()).await?.is_none() {
        let place = Place::Project { project_id: project, role };
        return invitations::send::send(&state, &caller, place, &email, message, key).await.map(Created::from);
    }
    let account = AccountRef::Email(email.normalized().to_owned());
    let command = AddMember { project_id: project, account, role };
    let now = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |added| {
            let account = added.account.clone();
            let location = MemberPath { project_id, user_id: account.id.into() }.location();
            let member = Member {
                user_id: account.id,
                status: MemberStatus::Active,
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
        .map(Created::from)
}
