//! `POST /invitations/{token}/block`

use axum::extract::State as Extract;

use crate::{
    application::Error,
    http::{
        State,
        extract::InvitationTokenPath,
        reply::{NoContent, uncancellable},
    },
};

/// Keep further invitations from the address that an invitation went to. Whoever has its token reads mail to the address, and
/// needs no account. It holds until an account proves the address. Takes the form of one-click unsubscription (RFC 8058), and any
/// other body.
#[utoipa::path(post, path = "/invitations/{token}/block", tag = "invitations",
    operation_id = "blockInvitations", security(()), responses((status = 404)))]
pub async fn block(
    Extract(state): Extract<State>,
    InvitationTokenPath { token }: InvitationTokenPath,
) -> Result<NoContent, Error> {
    let identity = state.identity.clone();
    uncancellable(async move { identity.block_invitations(&token).await }).await?;
    Ok(NoContent::unchanged())
}
