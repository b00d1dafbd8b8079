//! `/auth/me`

use axum::{extract::State as Extract, response::Response};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use workroom_domain::account::refusal::ACCOUNT_ERASED;
use workroom_projections::accounts;

use super::model::Account;
use crate::{
    application::Error,
    http::{
        State,
        client_address::ClientAddress,
        extract::{AccountOwner, Caller, IfMatch, IfNoneMatch, Json},
        reply::{Sight, changed, done, found_unless, to_its_end},
    },
    identity::ProfilePatch,
};

/// The signed-in account.
#[utoipa::path(get, path = "/auth/me", tag = "auth",
    responses((status = 200, description = "The signed-in account", body = Account),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn me(Extract(state): Extract<State>, caller: Caller, known: IfNoneMatch) -> Result<Response, Error> {
    let account = accounts::find(state.app.pool(), caller.identity.account_id.into()).await?.ok_or(ACCOUNT_ERASED)?;
    let sight = Sight::more_if(account.email_verified);
    found_unless(&known, account.version, sight, &Account::from(account))
}

/// The parts of the profile to change. Full name and picture may be set to null, which clears them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAccountRequest {
    /// New full name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 200)]
    full_name: Option<Option<String>>,
    /// New user name.
    #[schema(min_length = 3, max_length = 32)]
    username: Option<String>,
    /// New picture: an http or https address.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    image_url: Option<Option<String>>,
}

/// Tells `null` from absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Change the given parts of the profile.
#[utoipa::path(patch, path = "/auth/me", tag = "auth", request_body = UpdateAccountRequest,
    responses((status = 200, description = "The account afterwards", body = Account)))]
pub async fn update_me(
    state: Extract<State>,
    owner: AccountOwner,
    if_match: IfMatch,
    body: Json<UpdateAccountRequest>,
) -> Result<Response, Error> {
    carry_out(state, owner, if_match, body).await
}

/// Change the given parts of the profile; the same as PATCH.
#[utoipa::path(put, path = "/auth/me", tag = "auth", request_body = UpdateAccountRequest,
    responses((status = 200, description = "The account afterwards", body = Account)))]
pub async fn replace_me(
    state: Extract<State>,
    owner: AccountOwner,
    if_match: IfMatch,
    body: Json<UpdateAccountRequest>,
) -> Result<Response, Error> {
    carry_out(state, owner, if_match, body).await
}

async fn carry_out(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    IfMatch(if_version): IfMatch,
    Json(UpdateAccountRequest { full_name, username, image_url }): Json<UpdateAccountRequest>,
) -> Result<Response, Error> {
    let identity = state.identity.clone();
    let patch = ProfilePatch { full_name, username, image_url };
    let (account, done) =
        to_its_end(async move { identity.change_profile(&caller.context, &patch, &if_version).await }).await?;
    Ok(changed(done.position, done.visible, account.version, &Account::from(account)))
}

/// Proof that the account means it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseAccountRequest {
    /// The account's password; none for an account that another issuer vouches for.
    password: Option<String>,
}

/// Erase the account: what is personal is gone, for good; what happened stays, without it. Projects that nobody else is
/// in are deleted.
#[utoipa::path(delete, path = "/auth/me", tag = "auth", request_body = EraseAccountRequest,
    responses((status = 204, description = "Erased"),
              (status = 409, description = "The last owner of projects that others share; they are named",
               body = crate::http::problem::ProblemDetails, content_type = "application/problem+json"),
              (status = 429, description = "Too many wrong passwords from this address",
               body = crate::http::problem::ProblemDetails, content_type = "application/problem+json")))]
pub async fn erase_me(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    ClientAddress(address): ClientAddress,
    Json(EraseAccountRequest { password }): Json<EraseAccountRequest>,
) -> Result<Response, Error> {
    let identity = state.identity.clone();
    let erased = to_its_end(async move { identity.erase(&caller.context, password.as_deref(), address).await }).await?;
    Ok(done(erased.position, erased.visible))
}
