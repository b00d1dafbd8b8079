//! `/auth/email`: proof that an account reads mail to its address.

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::{MailAccepted, MailReply};
use crate::{
    application::Error,
    http::{
        State,
        extract::{AccountOwner, Correlation, Json, MaybeCaller, RequestBody},
        reply::{NoContent, uncancellable},
    },
};

/// The token that came with the mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyEmailRequest {
    /// The token from the mail; it works once, within a day.
    token: String,
}

impl RequestBody for VerifyEmailRequest {}

/// Prove an e-mail address by a token that was mailed to it. The first proof ends all sessions and personal access tokens of the
/// account, which somebody else may have registered with the address; who sends their access token along keeps their session
/// and the tokens. Where addresses are trusted as they are typed nothing ends.
#[utoipa::path(post, path = "/auth/email/verify", tag = "auth", operation_id = "verifyEmail", security(()))]
pub async fn verify_email(
    Extract(state): Extract<State>,
    Correlation(correlation_id): Correlation,
    MaybeCaller(caller): MaybeCaller,
    Json(VerifyEmailRequest { token }): Json<VerifyEmailRequest>,
) -> Result<NoContent, Error> {
    let identity = state.identity.clone();
    let caller = caller.map(|caller| caller.identity);
    let verified =
        uncancellable(async move { identity.verify_email(correlation_id, caller.as_ref(), &token).await }).await?;
    Ok(NoContent::new(verified.position, verified.visible))
}

/// Send the mail that proves the address once more, at most one a minute.
#[utoipa::path(post, path = "/auth/email/verification", tag = "auth", operation_id = "sendVerification")]
pub async fn send_verification(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
) -> Result<MailReply, Error> {
    state.identity.mail_verification(&caller.context).await?;
    Ok(MailAccepted::new())
}
