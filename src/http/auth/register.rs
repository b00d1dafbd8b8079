//! `POST /auth/register`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use workroom_projections::accounts::AccountRow;

use super::model::Account;
use crate::{
    application::{Error, Rendered},
    http::{
        State,
        client_address::ClientAddress,
        extract::{Body, ClientKey, Correlation, RequestBody},
        reply::{Created, rendered, uncancellable},
    },
    identity::Registration,
};

/// What a new account is registered with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// E-mail address; one account an address.
    #[schema(example = "ada@example.com", max_length = 254)]
    email: String,
    /// Password, 8 to 128 characters, none of the well-known ones.
    #[schema(example = "an analytical engine", min_length = 8, max_length = 128)]
    password: String,
    /// The full name to be shown, up to 200 characters.
    #[schema(max_length = 200)]
    full_name: Option<String>,
    /// User name; made from the e-mail address when not given.
    #[schema(example = "ada", min_length = 3, max_length = 32)]
    username: Option<String>,
}

impl RequestBody for RegisterRequest {
    const CLEARABLE: &'static [&'static str] = &["full_name"];
}

/// Register an account. A mail asks to confirm its address.
#[utoipa::path(post, path = "/auth/register", tag = "auth", operation_id = "register", security(()), responses((status = 409)))]
pub async fn register(
    Extract(state): Extract<State>,
    Correlation(correlation_id): Correlation,
    ClientAddress(address): ClientAddress,
    key: ClientKey,
    Body { value, bytes }: Body<RegisterRequest>,
) -> Result<Created<Account>, Error> {
    let RegisterRequest { email, password, full_name, username } = value;
    let key = key.bind_anonymous(&state, &email, &bytes);
    let registration = Registration { email, password, full_name, username };
    let identity = state.identity.clone();
    let registered =
        uncancellable(async move { identity.register(correlation_id, &registration, address, key, render).await });
    registered.await.map(Created::from)
}

fn render(account: &AccountRow) -> Result<Rendered, Error> {
    let location = Some("/api/v1/auth/me".to_owned());
    rendered(StatusCode::CREATED, location, Some(1), &Account::from(account.clone()))
}
