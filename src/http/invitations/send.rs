//! Inviting: what adding a member becomes when nobody has the address.

use axum::http::StatusCode;
use uuid::Uuid;
use workroom_domain::refusal::TOO_LONG;
use workroom_domain::{
    ids::{AccountId, InvitationId},
    invitation::Place,
    text::Prose,
};
use workroom_projections::accounts;

use super::model::{Invitation, InvitationStatus};
use crate::{
    application::{
        Answer, Error, IdempotencyKey, at_pointer,
        invitations::{Host, InvitationRowToAdd, Invite, role_name},
    },
    http::{State, extract::Caller, reply::rendered},
    identity::email::EmailAddress,
    notify::outbox,
};

/// Most characters of a message.
pub const MESSAGE_LENGTH: usize = 500;

/// What the inviting person has to say.
///
/// # Errors
/// [`Error::Invalid`] for one that is too long.
pub fn message(text: Option<&str>) -> Result<Option<Prose>, Error> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    if text.chars().count() > MESSAGE_LENGTH {
        return Err(Error::invalid("/message", TOO_LONG, format!("must have at most {MESSAGE_LENGTH} characters")));
    }
    Prose::parse(text).map(Some).map_err(at_pointer("/message"))
}

/// Invites whoever reads mail to this address.
///
/// # Errors
/// See [`Error`]; `Kind::Conflict` when the address has been invited.
pub async fn send(
    state: &State,
    caller: &Caller,
    place: Place,
    email: &EmailAddress,
    message: Option<Prose>,
    key: Option<IdempotencyKey>,
) -> Result<Answer, Error> {
    state.identity.allow_invitation(caller.identity.account_id, email.normalized()).await?;
    let id = Uuid::now_v7();
    let invitation_id = InvitationId(id);
    let (invited_by, now) = (caller.identity.account_id, caller.context.now);
    let row = InvitationRowToAdd {
        id: invitation_id,
        place,
        email: email.as_str().to_owned(),
        email_normalized: email.normalized().to_owned(),
        recipient: state.identity.recipient(email.normalized()),
        message,
        invited_by,
        now,
    };
    let host = Host::of(place);
    let (project_id, organization_id) = match host {
        Host::Project(id) => (Some(id.into()), None),
        Host::Organization(id) => (None, Some(id.into())),
    };
    let account_id =
        accounts::find_by_email(state.app.pool(), email.normalized()).await?.map(|found| AccountId(found.id));
    let command = Invite { invitation_id, place, account_id };
    let answer = state
        .app
        .create_with_tables(&caller.context, &command, &row, key, |version| {
            let invitation = Invitation {
                id,
                status: InvitationStatus::Invited,
                project_id,
                organization_id,
                email: row.email.clone(),
                role: role_name(place).to_owned(),
                message: row.message.as_ref().map(|message| message.as_str().to_owned()),
                invited_by: invited_by.into(),
                created_at: now,
                expires_at: Invite::expiry(now),
            };
            let location = format!("/api/v1{}/invitations/{id}", host.path());
            rendered(StatusCode::CREATED, Some(location), Some(*version), &invitation)
        })
        .await?;
    outbox::wake();
    Ok(answer)
}
