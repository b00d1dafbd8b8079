//! A new ticket.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use workroom_domain::account::refusal::ACCOUNT_ERASED;

use super::store::{self, NewTicket};
use crate::{
    application::{Error, IdempotencyKey},
    event_store::{Receipt, receipts},
    identity::{Caller, CredentialKind, Identity, codes::SESSION_ENDED, ticket},
};

/// How long a ticket can be used that is good for one socket.
pub const LIFETIME: Duration = Duration::seconds(30);

/// A ticket, told to whoever asked for it alone.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The secret: 32 bytes in base64url, of which only the hash is stored.
    pub ticket: String,
    /// Until when it can be used.
    pub expires_at: OffsetDateTime,
    /// Whether it had been made before, under the same key.
    pub replayed: bool,
}

/// What is kept of a ticket under its key: all but the secret, which follows from both.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

impl Identity {
    /// Makes a ticket for a caller, once for each key. A reusable one is good until the caller's session or token ends.
    ///
    /// # Errors
    /// `Kind::Unauthenticated` when the account is erased meanwhile, or the session has ended; [`Error::Invalid`] for a key of another request; the
    /// database's.
    pub async fn issue_ticket(
        &self,
        caller: Caller,
        reusable: bool,
        key: Option<IdempotencyKey>,
        now: OffsetDateTime,
    ) -> Result<Ticket, Error> {
        let expires_at = match caller.kind {
            _ if !reusable => now + LIFETIME,
            CredentialKind::Session => {
                let end = store::session_end(self.inner.app.pool(), caller.credential_id).await?;
                end.ok_or(SESSION_ENDED)?
            }
            CredentialKind::PersonalToken | CredentialKind::External => caller.expires_at,
        };
        let new = |ticket: &str| NewTicket { hash: ticket::hash(ticket), expires_at, reusable };
        let Some(key) = key else {
            let ticket = ticket::draw().map_err(Error::failure)?;
            if !store::insert(self.inner.app.pool(), new(&ticket), &caller, None).await? {
                return Err(ACCOUNT_ERASED.into());
            }
            return Ok(Ticket { ticket, expires_at, replayed: false });
        };
        if let Some(again) = self.issued_ticket(&key).await? {
            return Ok(again);
        }
        let body = serde_json::to_string(&Kept { expires_at }).map_err(Error::failure)?;
        let ticket = self.ticket_of(&key, &body);
        let receipt = Receipt {
            principal: key.principal,
            key: key.key.clone(),
            fingerprint: key.fingerprint.clone(),
            status: 201,
            headers: "[]".to_owned(),
            body,
        };
        let pool = self.inner.app.pool();
        if store::insert(pool, new(&ticket), &caller, Some(&receipt)).await? {
            return Ok(Ticket { ticket, expires_at, replayed: false });
        }
        // Another request under the same key was first, or the account is there no more.
        self.issued_ticket(&key).await?.ok_or_else(|| ACCOUNT_ERASED.into())
    }

    /// The ticket that was made under a key.
    async fn issued_ticket(&self, key: &IdempotencyKey) -> Result<Option<Ticket>, Error> {
        let Some(kept) = receipts::find(self.inner.app.pool(), key.principal, &key.key).await? else { return Ok(None) };
        let body = self.inner.app.answer_again(key, kept).await?.rendered.body;
        let Kept { expires_at } = serde_json::from_str(&body).map_err(Error::failure)?;
        Ok(Some(Ticket { ticket: self.ticket_of(key, &body), expires_at, replayed: true }))
    }

    fn ticket_of(&self, key: &IdempotencyKey, body: &str) -> String {
        ticket::from_secret(&self.derived_secret("ticket", key, body))
    }
}
