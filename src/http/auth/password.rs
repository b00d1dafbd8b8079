//! `/auth/password`: changed by who knows it, set anew by who reads the account's mail.

use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{MailAccepted, MailReply};
use crate::{
    application::Error,
    http::{
        State,
        client_address::ClientAddress,
        extract::{AccountOwner, Correlation, Json, RequestBody},
        reply::{Done, NoContent, uncancellable},
    },
    identity::PasswordToChange,
};

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordRequest {
    /// The password that holds until now.
    current_password: String,
    /// The one that is to hold from now on.
    #[schema(min_length = 8, max_length = 128)]
    new_password: String,
    /// Whether personal access tokens end with the old password.
    #[serde(default = "yes")]
    #[schema(default = true)]
    revoke_tokens: bool,
}

impl RequestBody for ChangePasswordRequest {}

fn yes() -> bool {
    true
}

/// Change the password. All other sessions of the account end, and personal access tokens unless they are to stay; the owner
/// is told by mail.
#[utoipa::path(post, path = "/auth/password", tag = "auth", operation_id = "changePassword")]
pub async fn change_password(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    ClientAddress(address): ClientAddress,
    Json(ChangePasswordRequest { current_password, new_password, revoke_tokens }): Json<ChangePasswordRequest>,
) -> Result<NoContent, Error> {
    let identity = state.identity.clone();
    let change = PasswordToChange { current: current_password, new: new_password, revoke_tokens };
    let changed =
        uncancellable(
            async move { identity.change_password(&caller.context, &caller.identity, &change, address).await },
        );
    let changed = changed.await?;
    Ok(NoContent::new(changed.position, changed.visible))
}

/// The account whose password was forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgotPasswordRequest {
    /// The account's e-mail address. The reply is the same whether or not there is such an account.
    #[schema(example = "ada@example.com")]
    email: String,
}

impl RequestBody for ForgotPasswordRequest {}

/// Send a mail with which the password can be set anew, should the address be an account's; the reply does not tell.
#[utoipa::path(post, path = "/auth/password/forgot", tag = "auth", operation_id = "forgotPassword", security(()))]
pub async fn forgot_password(
    Extract(state): Extract<State>,
    Correlation(correlation_id): Correlation,
    Json(ForgotPasswordRequest { email }): Json<ForgotPasswordRequest>,
) -> Result<MailReply, Error> {
    state.identity.forgot_password(correlation_id, &email);
    Ok(MailAccepted::new())
}

/// A token from the mail, and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPasswordRequest {
    /// The token from the mail; it works once, within an hour.
    token: String,
    /// The new password: 8 to 128 characters, none that is well known.
    #[schema(min_length = 8, max_length = 128)]
    new_password: String,
}

impl RequestBody for ResetPasswordRequest {}

/// What ended with the old password.
#[derive(Serialize, ToSchema)]
pub struct PasswordReset {
    /// Sessions that ended: all there were.
    ended_sessions: usize,
    /// Personal access tokens that were revoked: all there were.
    revoked_tokens: usize,
}

/// Set the password anew. All sessions and personal access tokens of the account end. It also proves the address.
#[utoipa::path(post, path = "/auth/password/reset", tag = "auth", operation_id = "resetPassword", security(()))]
pub async fn reset_password(
    Extract(state): Extract<State>,
    Correlation(correlation_id): Correlation,
    ClientAddress(address): ClientAddress,
    Json(ResetPasswordRequest { token, new_password }): Json<ResetPasswordRequest>,
) -> Result<Done<PasswordReset>, Error> {
    let identity = state.identity.clone();
    let set = async move { identity.reset_password(correlation_id, &token, &new_password, address).await };
    let set = uncancellable(set).await?;
    let reset = PasswordReset { ended_sessions: set.reply.sessions, revoked_tokens: set.reply.tokens };
    Ok(Done::new(set.position, set.visible, &reset))
}
