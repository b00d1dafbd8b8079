//! Personal access tokens: for programs that act for somebody who is not there to sign in.

use serde::Serialize;
use sqlx::{FromRow, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::AccountCommand,
    ids::{AccountId, TokenId},
    text::Name,
};

use super::{Identity, Scope, personal_token, revocations};
use crate::application::codes::OUT_OF_RANGE;
use crate::application::{At, Bytea, Change, Context, Done, Error, TableChange, accounts::RecordAccount, in_field};
use crate::identity::codes::TOO_MANY_TOKENS;

/// Tokens that an account can have at a time.
const MOST: i64 = 100;

/// A token, without its secret.
#[derive(Clone, Debug, FromRow)]
pub struct TokenSummary {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// `read`, or `write`, which includes reading.
    pub scope: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends by itself.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// The ids of an account's tokens.
pub(super) async fn ids(pool: &PgPool, account_id: AccountId) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM personal_tokens WHERE account_id = $1 ORDER BY id")
        .bind(Uuid::from(account_id))
        .fetch_all(pool)
        .await
}

/// Deletes all tokens of an account.
pub(super) fn delete_all(account_id: AccountId) -> Result<Change, Error> {
    Change::new(
        "WITH deleted AS (DELETE FROM personal_tokens WHERE account_id = ($1 #>> '{}')::uuid RETURNING id)
         INSERT INTO ended_credentials (id) SELECT id FROM deleted ON CONFLICT DO NOTHING",
        &Uuid::from(account_id),
    )
}

impl Identity {
    /// Makes a token. Its secret is told this once.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is none, or an end that is past or too far; `Kind::Conflict` for one token too many.
    pub async fn create_token(
        &self,
        context: &Context,
        name: &str,
        scope: Scope,
        expires_at: Option<OffsetDateTime>,
    ) -> Result<(TokenSummary, String, Done<()>), Error> {
        let account_id = context.account()?;
        let name = Name::parse(name).map_err(in_field("/name"))?;
        let latest = context.now + self.inner.config.personal_token_lifetime;
        match expires_at {
            Some(at) if at <= context.now => {
                return Err(Error::invalid("/expires_at", OUT_OF_RANGE, "must lie in the future"));
            }
            Some(at) if at > latest => {
                let days = self.inner.config.personal_token_lifetime.as_secs() / 86_400;
                return Err(Error::invalid("/expires_at", OUT_OF_RANGE, format!("must lie within {days} days")));
            }
            _ => {}
        }
        let expires_at = Some(expires_at.unwrap_or(latest));
        let token = personal_token::generate().map_err(Error::failure)?;
        let hash = personal_token::hash(&token).ok_or_else(|| Error::failure("a token without a hash"))?;
        let summary = TokenSummary {
            id: Uuid::now_v7(),
            name: name.as_str().to_owned(),
            scope: scope.as_str().to_owned(),
            created_at: context.now,
            expires_at,
            last_used_at: None,
        };
        let record =
            RecordAccount { account_id, command: AccountCommand::CreateToken { token_id: TokenId(summary.id) } };
        let tables = InsertToken { account_id, summary: summary.clone(), hash };
        let done = self.inner.app.run_with_tables(context, &record, &tables).await?;
        Ok((summary, token, done))
    }

    /// An account's tokens, youngest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn tokens(&self, account_id: AccountId) -> Result<Vec<TokenSummary>, Error> {
        let tokens = sqlx::query_as(
            "SELECT id, name, scope, created_at, expires_at, last_used_at FROM personal_tokens
             WHERE account_id = $1 ORDER BY id DESC",
        )
        .bind(Uuid::from(account_id))
        .fetch_all(self.inner.app.pool())
        .await?;
        Ok(tokens)
    }

    /// Revokes a token, at once on every instance.
    ///
    /// # Errors
    /// `Kind::NotFound` for a token that is not the account's, or is no more.
    pub async fn revoke_token(&self, context: &Context, token_id: TokenId) -> Result<Done<()>, Error> {
        let account_id = context.account()?;
        if !self.tokens(account_id).await?.iter().any(|token| token.id == token_id.0) {
            return Err(Error::not_found("token"));
        }
        let record = RecordAccount { account_id, command: AccountCommand::RevokeToken { token_id } };
        match self.inner.app.run_with_tables(context, &record, &DeleteToken { account_id, token_id }).await {
            Ok(done) => {
                self.inner.revocations.end(&[token_id.into()]);
                Ok(done)
            }
            Err(Error::Overtaken) => Err(Error::not_found("token")),
            Err(error) => Err(error),
        }
    }
}

struct InsertToken {
    account_id: AccountId,
    summary: TokenSummary,
    hash: Vec<u8>,
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
            most: MOST,
        };
        let insert = Change::new(
            "INSERT INTO personal_tokens (id, account_id, token_hash, name, scope, created_at, expires_at)
             SELECT id, account_id, token_hash, name, scope, created_at, expires_at
             FROM jsonb_to_record($1) AS a (id uuid, account_id uuid, token_hash bytea, name text, scope text,
                                            created_at timestamptz, expires_at timestamptz, most bigint)
             WHERE (SELECT count(*) FROM personal_tokens p WHERE p.account_id = a.account_id) < a.most",
            &row,
        )?;
        let full = || Error::refused(TOO_MANY_TOKENS, format!("an account can have {MOST} tokens; revoke one first"));
        Ok(vec![insert.or(full)])
    }
}

struct DeleteToken {
    account_id: AccountId,
    token_id: TokenId,
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
