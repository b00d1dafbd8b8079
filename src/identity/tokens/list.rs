//! The tokens of an account, without their secrets.

use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, TokenId};
use workroom_projections::page::{Listed, Page};

use super::store;
use crate::{application::Error, identity::Identity};

/// A token, without its secret.
#[derive(Clone, Debug, FromRow)]
pub struct TokenSummary {
    /// The token's id, a UUIDv7, by which its owner reads and revokes it.
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
    /// A part of an account's tokens, youngest first.
    pub async fn tokens(&self, account_id: AccountId, page: Page) -> Result<Listed<TokenSummary>, Error> {
        Ok(store::list(self.inner.app.pool(), account_id, page).await?)
    }

    /// One token of an account.
    ///
    /// # Errors
    /// `Kind::NotFound`; the database's.
    pub async fn token(&self, account_id: AccountId, token_id: TokenId) -> Result<TokenSummary, Error> {
        let found = store::summary(self.inner.app.pool(), account_id, token_id).await?;
        found.ok_or(Error::not_found("token"))
    }
}
