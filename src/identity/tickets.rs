//! Tickets: single-use, short-lived stand-ins for an access token, for a WebSocket's address, where no header can be
//! set and which logs and histories remember.

use sqlx::Row;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use workroom_domain::account::refusal::ACCOUNT_ERASED;
use workroom_domain::ids::AccountId;

use super::{Caller, CredentialKind, Identity, Scope, ticket};
use crate::application::Error;
use crate::identity::codes::{SESSION_ENDED, TICKET_INVALID};

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
        let issued = sqlx::query(
            "WITH swept AS (DELETE FROM realtime_tickets WHERE expires_at < $6)
             INSERT INTO realtime_tickets (ticket_hash, account_id, credential_id, rests_on, kind, scope, token_expires_at,
                                           expires_at)
             SELECT $1, id, $3, $9, $7, $8, $4, $5 FROM accounts WHERE id = $2 FOR KEY SHARE",
        )
        .bind(ticket::hash(&ticket))
        .bind(Uuid::from(caller.account_id))
        .bind(caller.credential_id)
        .bind(caller.expires_at)
        .bind(expires_at)
        .bind(now)
        .bind(caller.kind.as_str())
        .bind(caller.scope.as_str())
        .bind(caller.rests_on)
        .execute(self.inner.app.pool())
        .await?;
        if issued.rows_affected() == 0 {
            return Err(ACCOUNT_ERASED.into());
        }
        Ok(Ticket { ticket, expires_at })
    }

    /// Takes a ticket in: the first who brings it is who it was made for.
    ///
    /// # Errors
    /// `Kind::Unauthenticated` for a ticket that is unknown, used or too old.
    pub async fn redeem_ticket(&self, ticket: &str, now: OffsetDateTime) -> Result<Caller, Error> {
        let row = sqlx::query(
            "DELETE FROM realtime_tickets t USING accounts a
             WHERE t.ticket_hash = $1 AND a.id = t.account_id AND a.deactivated_at IS NULL
             RETURNING t.account_id, t.credential_id, t.rests_on, t.kind, t.scope, t.token_expires_at, t.expires_at",
        )
        .bind(ticket::hash(ticket))
        .fetch_optional(self.inner.app.pool())
        .await?
        .ok_or(TICKET_INVALID)?;
        if row.try_get::<OffsetDateTime, _>("expires_at")? < now {
            return Err(Error::refused(TICKET_INVALID, "the ticket has expired"));
        }
        let credential_id: Uuid = row.try_get("credential_id")?;
        let account_id: Uuid = row.try_get("account_id")?;
        let rests_on: Uuid = row.try_get("rests_on")?;
        if [credential_id, account_id, rests_on].iter().any(|id| self.inner.revocations.has_ended(*id)) {
            return Err(SESSION_ENDED.into());
        }
        Ok(Caller {
            account_id: AccountId(account_id),
            kind: CredentialKind::parse(row.try_get("kind")?)?,
            credential_id,
            rests_on,
            scope: Scope::parse(row.try_get("scope")?)?,
            expires_at: row.try_get("token_expires_at")?,
        })
    }
}
