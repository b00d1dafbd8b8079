//! A ticket, brought by whoever opens a socket.

use time::OffsetDateTime;
use workroom_domain::ids::AccountId;

use super::store;
use crate::{
    application::Error,
    identity::{
        Caller, CredentialKind, Identity, Scope,
        codes::{SESSION_ENDED, TICKET_INVALID},
        ticket as form,
    },
};

impl Identity {
    /// Takes a ticket in: the first who brings it is who it was made for.
    ///
    /// # Errors
    /// `Kind::Unauthenticated` for a ticket that is unknown, used or too old.
    pub async fn redeem_ticket(&self, ticket: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        let taken = store::take(self.inner.app.pool(), form::hash(ticket)).await?.ok_or(TICKET_INVALID)?;
        if taken.expires_at < now {
            return Err(Error::refused(TICKET_INVALID, "the ticket has expired"));
        }
        let ends_with = [taken.credential_id, taken.account_id, taken.rests_on];
        if ends_with.iter().any(|id| self.inner.revocations.has_ended(*id)) {
            return Err(SESSION_ENDED.into());
        }
        Ok(Caller {
            account_id: AccountId(taken.account_id),
            kind: CredentialKind::parse(&taken.kind)?,
            credential_id: taken.credential_id,
            rests_on: taken.rests_on,
            scope: Scope::parse(&taken.scope)?,
            expires_at: taken.token_expires_at,
        })
    }
}
