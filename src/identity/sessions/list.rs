//! The sessions of an account that are going on.

use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::AccountId;
use workroom_projections::page::{Listed, Page};

use super::store;
use crate::{application::Error, identity::Identity};

/// A session that is going on.
#[derive(Clone, Debug, FromRow)]
pub struct SessionSummary {
    /// The session's id: `sid` of its access tokens.
    pub id: Uuid,
    /// What the client called itself at sign-in.
    pub user_agent: Option<String>,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When its tokens were last renewed.
    pub refreshed_at: OffsetDateTime,
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
}

impl Identity {
    /// A part of the sessions of an account that are going on, youngest first.
    pub async fn sessions(
        &self,
        account_id: AccountId,
        now: OffsetDateTime,
        page: Page,
    ) -> Result<Listed<SessionSummary>, Error> {
        Ok(store::list(self.inner.app.pool(), account_id, now, page).await?)
    }
}
