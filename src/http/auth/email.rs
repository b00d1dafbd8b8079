//! `/auth/email`: proof that an account reads mail to its address.

use axum::{extract::State as Extract, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::{Accepted, accepted};
use crate::{
    application::Error,
    http::{
        State,
        extract::{AccountOwner, Correlation, Json, MaybeCaller},
        reply::{done, to_its_end},
    },
};

/// A token from the mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyEmailRequest {
    /// The token from the mail; it works once, within a day.
    token: String,
}

/// Prove an e-mail address by a token that was mailed to it. The first proof ends all sessions and personal access tokens of the
/// account, which somebody else may have registered with the address; who sends their access token along keeps their session
/// and the tokens. Where addresses are trusted as they are typed nothing ends.
#[utoipa::path(post, path = "/auth/email/verify", tag = "auth", request_body = VerifyEmailRequest, security(()),
    responses((status = 204, description = "Proved")))]
pub async fn verify_email(
    Extract(state): Extract<State>,
    Correlation(correlation_id): Correlation,
    MaybeCaller(caller): MaybeCaller,
    Json(VerifyEmailRequest { token }): Json<VerifyEmailRequest>,
) -> Result<Response, Error> {
    let identity = state.identity.clone();
    let caller = caller.map(|caller| caller.identity);
    let verified =
        to_its_end(async move { identity.verify_email(correlation_id, caller.as_ref(), &token).await }).await?;
    Ok(done(verified.position, verified.visible))
}

/// Send the mail that proves the address once more, at most one a minute.
#[utoipa::path(post, path = "/auth/email/verification", tag = "auth",
    responses((status = 202, description = "Accepted; nothing is sent for an address that is proved", body = Accepted)))]
pub async fn send_verification(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
) -> Result<(StatusCode, axum::Json<Accepted>), Error> {
    state.identity.mail_verification(&caller.context).await?;
    Ok(accepted())
}
