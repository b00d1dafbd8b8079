//! A new ticket.

use time::{Duration, OffsetDateTime};
use workroom_domain::account::refusal::ACCOUNT_ERASED;

use super::store;
use crate::{
    application::Error,
    identity::{Caller, Identity, ticket},
};

/// How long a ticket can be used.
pub const LIFETIME: Duration = Duration::seconds(30);

/// A ticket, told once.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The secret.
    pub ticket: String,
    /// Until when it can be used.
    pub expires_at: OffsetDateTime,
}

impl Identity {
    /// Makes a ticket for a caller.
    ///
    /// # Errors
    /// `Kind::Unauthenticated` when the account is erased meanwhile; the database's.
    pub async fn issue_ticket(&self, caller: Caller, now: OffsetDateTime) -> Result<Ticket, Error> {
        let ticket = ticket::draw().map_err(Error::failure)?;
        let expires_at = now + LIFETIME;
        if !store::insert(self.inner.app.pool(), ticket::hash(&ticket), &caller, expires_at).await? {
            return Err(ACCOUNT_ERASED.into());
        }
        Ok(Ticket { ticket, expires_at })
    }
}
