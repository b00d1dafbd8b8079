//! `/auth/tokens`: personal access tokens.

use axum::{
    Json,
    extract::State as Extract,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::ids::TokenId;
use workroom_domain::refusal::EMPTY;

use crate::{
    application::Error,
    http::{
        State,
        extract::{self, AccountOwner, Path},
        page::Items,
        reply::{POSITION, done, to_its_end},
    },
    identity::{Scope, TokenSummary},
};

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// Reading whatever the account may read.
    Read,
    /// Reading and changing, but for the account itself.
    Write,
}

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTokenRequest {
    /// What to call it.
    #[schema(example = "nightly export", min_length = 1, max_length = 200)]
    name: String,
    /// What it opens; only reading when not given. `write` includes `read`.
    scopes: Option<Vec<TokenScope>>,
    /// When it ends by itself; as late as tokens may when not given (a year, unless configured otherwise).
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

/// A personal access token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Token {
    /// Its id.
    id: Uuid,
    /// What it is called.
    name: String,
    /// What it opens.
    scopes: Vec<TokenScope>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it ends by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
}

/// A token that was made, with its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CreatedToken {
    /// The secret, told this once. Send it as `Authorization: Bearer`.
    #[schema(example = "wrp_…")]
    token: String,
    /// The token.
    #[serde(flatten)]
    about: Token,
}

impl From<TokenSummary> for Token {
    fn from(summary: TokenSummary) -> Self {
        let scopes = match summary.scope.as_str() {
            "write" => vec![TokenScope::Read, TokenScope::Write],
            _ => vec![TokenScope::Read],
        };
        let TokenSummary { id, name, created_at, expires_at, last_used_at, .. } = summary;
        Self { id, name, scopes, created_at, expires_at, last_used_at }
    }
}

/// Make a personal access token. An `Idempotency-Key` is not taken: the reply holds a secret, and is kept nowhere.
#[utoipa::path(post, path = "/auth/tokens", tag = "auth", request_body = CreateTokenRequest,
    responses((status = 201, description = "Made; the secret is told this once", body = CreatedToken)))]
pub async fn create_token(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    extract::Json(request): extract::Json<CreateTokenRequest>,
) -> Result<Response, Error> {
    let scope = match request.scopes.unwrap_or_else(|| vec![TokenScope::Read]).iter().max() {
        Some(TokenScope::Write) => Scope::Write,
        Some(TokenScope::Read) => Scope::Read,
        None => return Err(Error::invalid("/scopes", EMPTY, "must name at least one scope")),
    };
    let identity = state.identity.clone();
    let CreateTokenRequest { name, expires_at, .. } = request;
    let (summary, token, made) =
        to_its_end(async move { identity.create_token(&caller.context, &name, scope, expires_at).await }).await?;
    let location = HeaderValue::try_from(format!("/api/v1/auth/tokens/{}", summary.id)).map_err(Error::failure)?;
    let headers = [(header::LOCATION, location), (POSITION.clone(), HeaderValue::from(made.position))];
    Ok((StatusCode::CREATED, headers, Json(CreatedToken { token, about: summary.into() })).into_response())
}

/// The account's personal access tokens, youngest first, without their secrets.
#[utoipa::path(get, path = "/auth/tokens", tag = "auth",
    responses((status = 200, description = "The tokens", body = Items<Token>)))]
pub async fn list_tokens(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
) -> Result<Json<Items<Token>>, Error> {
    let tokens = state.identity.tokens(caller.identity.account_id).await?;
    Ok(Json(Items { items: tokens.into_iter().map(Into::into).collect(), next_cursor: None }))
}

/// Revoke a personal access token, at once on every instance.
#[utoipa::path(delete, path = "/auth/tokens/{token_id}", tag = "auth", params(("token_id" = Uuid, Path)),
    responses((status = 204, description = "Revoked")))]
pub async fn revoke_token(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    Path(token_id): Path<Uuid>,
) -> Result<Response, Error> {
    let identity = state.identity.clone();
    let revoked = to_its_end(async move { identity.revoke_token(&caller.context, TokenId(token_id)).await }).await?;
    Ok(done(revoked.position, revoked.visible))
}
