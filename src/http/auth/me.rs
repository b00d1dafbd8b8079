//! `/auth/me`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use workroom_domain::account::refusal::ACCOUNT_ERASED;
use workroom_projections::accounts;

use super::model::Account;
use crate::{
    application::Error,
    http::{
        State,
        client_address::ClientAddress,
        extract::{AccountOwner, Caller, IfMatch, IfNoneMatch, Json, Query, RequestBody, double_option},
        projects::read::ReadParams,
        reply::{NoContent, OkOrNotModified, Representation, Updated, at_position, uncancellable},
    },
    identity::ProfilePatch,
};

/// The signed-in account.
#[utoipa::path(get, path = "/auth/me", tag = "auth", operation_id = "getAccount")]
pub async fn me(
    Extract(state): Extract<State>,
    caller: Caller,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<Account>, Error> {
    at_position(&state, params.min_position).await?;
    let account = accounts::find(state.app.pool(), caller.identity.account_id.into()).await?.ok_or(ACCOUNT_ERASED)?;
    let representation = Representation::by_content_if(account.email_verified);
    OkOrNotModified::new(&known, account.version, representation, &Account::from(account))
}

/// The parts of the profile to change. Full name and picture may be set to null, which clears them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAccountRequest {
    /// The new full name; null removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 200)]
    full_name: Option<Option<String>>,
    /// The new user name.
    #[schema(min_length = 3, max_length = 32)]
    username: Option<String>,
    /// New picture: an http or https address.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    image_url: Option<Option<String>>,
}

impl RequestBody for UpdateAccountRequest {
    const CLEARABLE: &'static [&'static str] = &["full_name", "image_url"];
}

/// Change the given parts of the profile.
#[utoipa::path(method(patch, put), path = "/auth/me", tag = "auth", operation_id = "updateAccount")]
pub async fn update_me(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    IfMatch(if_version): IfMatch,
    Json(UpdateAccountRequest { full_name, username, image_url }): Json<UpdateAccountRequest>,
) -> Result<Updated<Account>, Error> {
    let identity = state.identity.clone();
    let patch = ProfilePatch { full_name, username, image_url };
    let (account, done) =
        uncancellable(async move { identity.change_profile(&caller.context, &patch, &if_version).await }).await?;
    Ok(Updated::new(done.position, done.visible, account.version, &Account::from(account)))
}

/// Proof that the account means it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseAccountRequest {
    /// The account's password; none for an account that another issuer vouches for.
    password: Option<String>,
}

impl RequestBody for EraseAccountRequest {}

/// What becomes of what an erased account has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasedContent {
    /// It stays, for those who worked with it.
    #[default]
    Keep,
    /// Every event that the account caused is redacted, in every history, in the background: tasks, comments, files, programs. The
    /// messages that went with invitations are deleted. That it was written stays, and so does what events of others quote of it (the
    /// old title in a change of theirs, the files of a job that they started): each can be redacted by itself. Webhooks stay with
    /// their project.
    Redact,
}

/// The query parameters of an erasure.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EraseAccountParams {
    /// What becomes of what the account has written; it stays unless said so.
    #[param(inline)]
    content: Option<ErasedContent>,
}

/// Erase the account: what is personal is gone, for good; what happened stays, without it. Projects that nobody else is
/// in are deleted. With `content=redact` the service goes on to redact what the account wrote.
#[utoipa::path(delete, path = "/auth/me", tag = "auth", operation_id = "eraseAccount")]
pub async fn erase_me(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    ClientAddress(address): ClientAddress,
    Query(params): Query<EraseAccountParams>,
    Json(EraseAccountRequest { password }): Json<EraseAccountRequest>,
) -> Result<NoContent, Error> {
    let identity = state.identity.clone();
    let with_content = params.content == Some(ErasedContent::Redact);
    let erased =
        uncancellable(async move { identity.erase(&caller.context, password.as_deref(), with_content, address).await })
            .await?;
    Ok(NoContent::new(erased.position, erased.visible))
}
