//! The table `personal_tokens`.

use serde::Serialize;
use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, TokenId};
use workroom_projections::page::{Listed, Page};

use super::TokenSummary;
use crate::{
    application::{At, Bytea, Change, Error, TableChange},
    identity::{codes::TOO_MANY_TOKENS, revocations},
};

/// Tokens that an account can have at a time.
const MAX_TOKENS: i64 = 100;

/// How exactly the last use of a personal token is told.
const LAST_USE_PRECISION: &str = "1 minute";

/// A token, and what it opens.
#[derive(FromRow)]
pub(super) struct PersonalToken {
    pub(super) id: Uuid,
    pub(super) account_id: Uuid,
    pub(super) period_id: Uuid,
    pub(super) scope: String,
    pub(super) expires_at: Option<OffsetDateTime>,
    pub(super) is_noted: bool,
}

/// The token of that hash, if its account is open.
pub(super) async fn find(
    pool: &PgPool,
    hash: Vec<u8>,
    now: OffsetDateTime,
) -> Result<Option<PersonalToken>, sqlx::Error> {
    sqlx::query_as(&format!(
        "SELECT t.id, t.account_id, a.period_id, t.scope, t.expires_at,
                COALESCE(t.last_used_at > $2 - interval '{LAST_USE_PRECISION}', false) AS is_noted
         FROM personal_tokens t JOIN accounts a ON a.id = t.account_id
         WHERE t.token_hash = $1 AND a.deactivated_at IS NULL"
    ))
    .bind(hash)
    .bind(now)
    .fetch_optional(pool)
    .await
}

/// Notes that a token is used.
pub(super) async fn note_use(pool: &PgPool, id: Uuid, now: OffsetDateTime) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE personal_tokens SET last_used_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(pool)
        .await
        .map(drop)
}

/// A part of an account's tokens, youngest first.
pub(super) async fn list(
    pool: &PgPool,
    account_id: AccountId,
    page: Page,
) -> Result<Listed<TokenSummary>, sqlx::Error> {
    let tokens = sqlx::query_as(
        "SELECT id, name, scope, created_at, expires_at, last_used_at FROM personal_tokens
         WHERE account_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3 OFFSET $4",
    )
    .bind(Uuid::from(account_id))
    .bind(page.after)
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(tokens, page, |token: &TokenSummary| token.id))
}

/// One token of an account.
pub(super) async fn summary(
    pool: &PgPool,
    account_id: AccountId,
    token_id: TokenId,
) -> Result<Option<TokenSummary>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, name, scope, created_at, expires_at, last_used_at FROM personal_tokens
         WHERE account_id = $1 AND id = $2",
    )
    .bind(Uuid::from(account_id))
    .bind(Uuid::from(token_id))
    .fetch_optional(pool)
    .await
}

/// The ids of an account's tokens.
pub(in crate::identity) async fn ids(pool: &PgPool, account_id: AccountId) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM personal_tokens WHERE account_id = $1 ORDER BY id")
        .bind(Uuid::from(account_id))
        .fetch_all(pool)
        .await
}

/// Deletes all tokens of an account.
pub(in crate::identity) fn delete_all(account_id: AccountId) -> Result<Change, Error> {
    Change::new(
        "WITH deleted AS (DELETE FROM personal_tokens WHERE account_id = ($1 #>> '{}')::uuid RETURNING id)
         INSERT INTO ended_credentials (id) SELECT id FROM deleted ON CONFLICT DO NOTHING",
        &Uuid::from(account_id),
    )
}

pub(super) struct InsertToken {
    pub(super) account_id: AccountId,
    pub(super) summary: TokenSummary,
    pub(super) hash: Vec<u8>,
}

#[derive(Serialize)]
struct NewToken<'a> {
    id: Uuid,
    account_id: Uuid,
    token_hash: Bytea<'a>,
    name: &'a str,
    scope: &'a str,
    created_at: At,
    expires_at: Option<At>,
    most: i64,
}

impl TableChange for InsertToken {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let TokenSummary { id, name, scope, created_at, expires_at, .. } = &self.summary;
        let row = NewToken {
            id: *id,
            account_id: self.account_id.into(),
            token_hash: Bytea(&self.hash),
            name,
            scope,
            created_at: At(*created_at),
            expires_at: expires_at.map(At),
            most: MAX_TOKENS,
        };
        let insert = Change::new(
            "INSERT INTO personal_tokens (id, account_id, token_hash, name, scope, created_at, expires_at)
             SELECT id, account_id, token_hash, name, scope, created_at, expires_at
             FROM jsonb_to_record($1) AS a (id uuid, account_id uuid, token_hash bytea, name text, scope text,
                                            created_at timestamptz, expires_at timestamptz, most bigint)
             WHERE (SELECT count(*) FROM personal_tokens p WHERE p.account_id = a.account_id) < a.most",
            &row,
        )?;
        let full =
            || Error::refused(TOO_MANY_TOKENS, format!("an account can have {MAX_TOKENS} tokens; revoke one first"));
        Ok(vec![insert.or(full)])
    }
}

pub(super) struct DeleteToken {
    pub(super) account_id: AccountId,
    pub(super) token_id: TokenId,
}

#[derive(Serialize)]
struct RevokedToken {
    id: Uuid,
    account_id: Uuid,
}

impl TableChange for DeleteToken {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let delete = Change::new(
            "DELETE FROM personal_tokens t USING jsonb_to_record($1) AS a (id uuid, account_id uuid)
             WHERE t.id = a.id AND t.account_id = a.account_id",
            &RevokedToken { id: self.token_id.into(), account_id: self.account_id.into() },
        )?;
        Ok(vec![delete.or(|| Error::Overtaken), revocations::record(&[self.token_id.into()])?])
    }
}
