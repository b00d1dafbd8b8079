//! `GET /auth/me`

use axum::{Json, extract::State as Extract};
use workroom_projections::accounts;

use super::model::Account;
use crate::{
    application::Error,
    http::{State, extract::Caller},
};

/// The signed-in account.
#[utoipa::path(get, path = "/auth/me", tag = "auth",
    responses((status = 200, description = "The signed-in account", body = Account)))]
pub async fn me(Extract(state): Extract<State>, caller: Caller) -> Result<Json<Account>, Error> {
    let account = accounts::find(state.app.pool(), caller.identity.account_id.into())
        .await?
        .ok_or(Error::Unauthenticated("the account no longer exists"))?;
    Ok(Json(account.into()))
}
