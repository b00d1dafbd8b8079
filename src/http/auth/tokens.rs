//! `/auth/tokens`: personal access tokens.

use axum::{extract::State as Extract, http::StatusCode};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{ids::TokenId, refusal::EMPTY, text::Name};

use crate::{
    application::{Error, Rendered, all, at_pointer},
    http::{
        State,
        extract::{AccountOwner, Body, ClientKey, Query, RequestBody, TokenPath},
        page::{Items, PageParams},
        projects::read::ReadParams,
        reply::{Created, List, NoContent, Shown, at_position, rendered, uncancellable},
    },
    identity::{NewToken, Scope, TokenSummary},
};

/// What a personal access token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// Reading whatever the account may read.
    Read,
    /// Reading and changing, but for the account itself.
    Write,
}

/// A personal access token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTokenRequest {
    /// A name by which its owner knows it again.
    #[schema(example = "nightly export", min_length = 1, max_length = 200)]
    name: String,
    /// What it opens; only reading when not given. `write` includes `read`.
    scopes: Option<Vec<TokenScope>>,
    /// When it ends by itself; as late as tokens may when not given (a year, unless configured otherwise).
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

impl RequestBody for CreateTokenRequest {
    const CLEARABLE: &'static [&'static str] = &["expires_at"];
}

/// A personal access token, for programs that act for its owner.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// The token's id; its secret is another thing.
    id: Uuid,
    /// The name that its owner gave it.
    name: String,
    /// What it may be used for.
    scopes: Vec<TokenScope>,
    /// When the token was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it stops working.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute; null when it never was.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
}

/// A token that was made, with its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CreatedToken {
    /// The secret, told this once. Send it as `Authorization: Bearer`.
    #[schema(example = "wrp_…")]
    token: String,
    /// What the token is, without its secret.
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

/// Make a personal access token. Its secret is kept nowhere; with an `Idempotency-Key`, it is told again to whoever sends the same
/// key and request again.
#[utoipa::path(post, path = "/auth/tokens", tag = "auth", operation_id = "createToken")]
pub async fn create_token(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    key: ClientKey,
    Body { value, bytes }: Body<CreateTokenRequest>,
) -> Result<Created<CreatedToken>, Error> {
    let identity = state.identity.clone();
    let (name, scope, expires_at) = all((
        Name::parse(&value.name).map_err(at_pointer("/name")),
        scope(value.scopes.as_deref()),
        identity.end_of_token(value.expires_at, caller.context.now),
    ))?;
    let new = NewToken { name, scope, expires_at };
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let made = async move { identity.create_token(&caller.context, new, key, without_secret).await };
    let (mut answer, token) = uncancellable(made).await?;
    let about = serde_json::from_str(&answer.rendered.body).map_err(Error::failure)?;
    answer.rendered.body = serde_json::to_string(&CreatedToken { token, about }).map_err(Error::failure)?;
    Ok(answer.into())
}

/// The one scope that holds the others.
fn scope(scopes: Option<&[TokenScope]>) -> Result<Scope, Error> {
    match scopes.unwrap_or(&[TokenScope::Read]).iter().max() {
        Some(TokenScope::Write) => Ok(Scope::Write),
        Some(TokenScope::Read) => Ok(Scope::Read),
        None => Err(Error::invalid("/scopes", EMPTY, "must name at least one scope")),
    }
}

/// The reply as it is kept under a key.
fn without_secret(summary: &TokenSummary) -> Result<Rendered, Error> {
    let location = TokenPath { token_id: TokenId(summary.id) }.location();
    rendered(StatusCode::CREATED, Some(location), None, &Token::from(summary.clone()))
}

/// The account's personal access tokens, youngest first, without their secrets.
#[utoipa::path(get, path = "/auth/tokens", tag = "auth", operation_id = "listTokens")]
pub async fn list_tokens(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    Query(params): Query<PageParams>,
) -> Result<List<Token>, Error> {
    at_position(&state, params.min_position).await?;
    let listed = state.identity.tokens(caller.identity.account_id, params.page()?).await?;
    Items::of(listed, |token| Ok(token.into())).map(List::from)
}

/// One of the account's personal access tokens, without its secret.
#[utoipa::path(get, path = "/auth/tokens/{token_id}", tag = "auth", operation_id = "getToken")]
pub async fn read_token(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    TokenPath { token_id }: TokenPath,
    Query(params): Query<ReadParams>,
) -> Result<Shown<Token>, Error> {
    at_position(&state, params.min_position).await?;
    let token = state.identity.token(caller.identity.account_id, token_id).await?;
    Ok(Shown(token.into()))
}

/// Revoke a personal access token, at once on every instance.
#[utoipa::path(delete, path = "/auth/tokens/{token_id}", tag = "auth", operation_id = "revokeToken")]
pub async fn revoke_token(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    TokenPath { token_id }: TokenPath,
) -> Result<NoContent, Error> {
    let identity = state.identity.clone();
    let revoked = uncancellable(async move { identity.revoke_token(&caller.context, token_id).await }).await?;
    Ok(NoContent::new(revoked.position, revoked.visible))
}
