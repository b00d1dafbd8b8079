//! `POST /invitations/{token}/accept`

use axum::extract::State as Extract;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::invitation::Place;

use crate::{
    application::{
        Error,
        invitations::{self, AcceptInvitation, MarkAccepted, role_name},
    },
    http::{
        State,
        extract::{Caller, InvitationTokenPath},
        reply::Done,
    },
};

/// What the caller has joined by accepting.
#[derive(Serialize, ToSchema)]
pub struct AcceptedInvitation {
    /// Always `accepted`: the caller is a member from now on.
    #[schema(example = "accepted")]
    status: &'static str,
    /// The project, if it invited to one.
    project_id: Option<Uuid>,
    /// The organization, if it invited to one.
    organization_id: Option<Uuid>,
    /// The role that the caller has there.
    role: &'static str,
}

/// Accept an invitation: with the account of the address that it went to.
#[utoipa::path(post, path = "/invitations/{token}/accept", tag = "invitations", operation_id = "acceptInvitation")]
pub async fn accept(
    Extract(state): Extract<State>,
    caller: Caller,
    InvitationTokenPath { token }: InvitationTokenPath,
) -> Result<Done<AcceptedInvitation>, Error> {
    let invitation_id = invitations::find_invited(state.app.pool(), &token, caller.identity.account_id).await?;
    let accept = AcceptInvitation { invitation_id };
    let mark = MarkAccepted { invitation_id, at: caller.context.now };
    let done = state.app.run_with_tables(&caller.context, &accept, &mark).await?;
    let (project_id, organization_id) = match done.reply {
        Place::Project { project_id, .. } => (Some(project_id.into()), None),
        Place::Organization { organization_id, .. } => (None, Some(organization_id.into())),
    };
    let accepted = AcceptedInvitation { status: "accepted", project_id, organization_id, role: role_name(done.reply) };
    Ok(Done::new(done.position, done.visible, &accepted))
}
