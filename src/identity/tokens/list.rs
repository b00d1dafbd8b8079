//! The tokens of an account, without their secrets.

use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use super::store;
use crate::{application::Error, identity::Identity};

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
    /// An account's tokens, youngest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn tokens(&self, account_id: AccountId) -> Result<Vec<TokenSummary>, Error> {
        Ok(store::list(self.inner.app.pool(), account_id).await?)
    }
}
