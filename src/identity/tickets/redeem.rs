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
    /// Takes a ticket in: the first who brings it is who it was made for. One that is reusable can be brought again, as long as the
    /// session or token that it was made with goes on.
    ///
    /// # Errors
    /// `Kind::Unauthenticated` for a ticket that is unknown, used or too old.
    pub async fn redeem_ticket(&self, ticket: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        let taken = store::take(self.inner.app.pool(), form::hash(ticket)).await?.ok_or(TICKET_INVALID)?;
        if taken.expires_at < now {
            return Err(Error::refused(TICKET_INVALID, "the ticket has expired"));
        }
        let ends_with = [taken.credential_id, taken.account_id, taken.rests_on];
        if ends_with.iter().any(|id| self.inner.revocations.has_ended(*id)) || (taken.reusable && !taken.goes_on) {
            return Err(SESSION_ENDED.into());
        }
        let kind = CredentialKind::parse(&taken.kind)?;
        // What it opens is judged anew as often as what an access token opens.
        let expires_at = match kind {
            CredentialKind::Session if taken.reusable => {
                taken.expires_at.min(now + self.inner.config.access_token_lifetime)
            }
            CredentialKind::Session | CredentialKind::PersonalToken | CredentialKind::External => {
                taken.token_expires_at
            }
        };
        Ok(Caller {
            account_id: AccountId(taken.account_id),
            kind,
            credential_id: taken.credential_id,
            rests_on: taken.rests_on,
            scope: Scope::parse(&taken.scope)?,
            expires_at,
        })
    }
}
