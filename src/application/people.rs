//! Accounts as clients name them: by id or by e-mail address.

use sqlx::PgPool;
use uuid::Uuid;
use workroom_projections::accounts::{self, AccountRow};

/// An account as a client names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountRef {
    /// By its id.
    Id(Uuid),
    /// By its e-mail address, normalized.
    Email(String),
}

impl AccountRef {
    /// The account, if there is one.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, pool: &PgPool) -> Result<Option<AccountRow>, sqlx::Error> {
        match self {
            Self::Id(id) => accounts::find(pool, *id).await,
            Self::Email(email) => accounts::find_by_email(pool, email).await,
        }
    }
}
