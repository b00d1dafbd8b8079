//! Personal access tokens: for programs that act for somebody who is not there to sign in.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::AccountCommand,
    ids::{AccountId, TokenId},
    text::Name,
};

use super::{Identity, Scope, personal_token, revocations};
use crate::application::{Context, Done, Error, TableChange, accounts::RecordAccount, in_field};

/// Tokens that an account can have at a time.
const MOST: i64 = 100;
const REVOKED_MEANWHILE: &str = "the token was revoked meanwhile";

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

impl Identity {
    /// Makes a token. Its secret is told this once.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is none or an end that is past; [`Error::Conflict`] for one token too many.
    pub async fn create_token(
        &self,
        context: &Context,
        name: &str,
        scope: Scope,
        expires_at: Option<OffsetDateTime>,
    ) -> Result<(TokenSummary, String, Done<()>), Error> {
        let account_id = context.account()?;
        let name = Name::parse(name).map_err(in_field("/name"))?;
        if expires_at.is_some_and(|at| at <= context.now) {
            return Err(Error::invalid("/expires_at", "must lie in the future"));
        }
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
    /// [`Error::NotFound`] for a token that is not the account's, or is no more.
    pub async fn revoke_token(&self, context: &Context, token_id: TokenId) -> Result<Done<()>, Error> {
        let account_id = context.account()?;
        if !self.tokens(account_id).await?.iter().any(|token| token.id == token_id.0) {
            return Err(Error::NotFound("token"));
        }
        let record = RecordAccount { account_id, command: AccountCommand::RevokeToken { token_id } };
        match self.inner.app.run_with_tables(context, &record, &DeleteToken { account_id, token_id }).await {
            Ok(done) => {
                self.inner.revocations.end(&[token_id.into()]);
                Ok(done)
            }
            Err(Error::Conflict(detail)) if detail == REVOKED_MEANWHILE => Err(Error::NotFound("token")),
            Err(error) => Err(error),
        }
    }
}

struct InsertToken {
    account_id: AccountId,
    summary: TokenSummary,
    hash: Vec<u8>,
}

impl TableChange for InsertToken {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let TokenSummary { id, name, scope, created_at, expires_at, .. } = &self.summary;
        let inserted = sqlx::query(
            "INSERT INTO personal_tokens (id, account_id, token_hash, name, scope, created_at, expires_at)
             SELECT $1, $2, $3, $4, $5, $6, $7
             WHERE (SELECT count(*) FROM personal_tokens WHERE account_id = $2) < $8",
        )
        .bind(id)
        .bind(Uuid::from(self.account_id))
        .bind(&self.hash)
        .bind(name)
        .bind(scope)
        .bind(created_at)
        .bind(expires_at)
        .bind(MOST)
        .execute(connection)
        .await?;
        if inserted.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::Conflict(format!("an account can have {MOST} tokens; revoke one first")))
    }
}

struct DeleteToken {
    account_id: AccountId,
    token_id: TokenId,
}

impl TableChange for DeleteToken {
    async fn apply(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let deleted = sqlx::query("DELETE FROM personal_tokens WHERE id = $1 AND account_id = $2")
            .bind(Uuid::from(self.token_id))
            .bind(Uuid::from(self.account_id))
            .execute(&mut *connection)
            .await?;
        if deleted.rows_affected() == 0 {
            return Err(Error::Conflict(REVOKED_MEANWHILE.to_owned()));
        }
        Ok(revocations::record(connection, &[self.token_id.into()]).await?)
    }
}
