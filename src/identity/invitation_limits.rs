//! How often somebody may invite, how often an address may be invited, and who wants no invitations at all.

use serde::Serialize;
use uuid::Uuid;
use workroom_credentials::mail_token;
use workroom_domain::ids::AccountId;

use super::{Identity, throttle::Throttled};
use crate::application::codes::INVITATIONS_UNWANTED;
use crate::application::{Change, Error};
use crate::identity::codes::TOO_MANY_INVITATIONS;

/// An address that can be invited, as a keyed digest.
#[derive(Clone, Debug)]
pub struct RecipientDigest(String);

#[derive(Serialize)]
struct Digest<'a> {
    digest: &'a str,
}

impl RecipientDigest {
    /// Insists, with the append of an invitation, that its recipient wants any.
    ///
    /// # Errors
    /// What JSON cannot hold, which there is none of.
    pub fn insist_on_welcome(&self) -> Result<Change, Error> {
        let wants = Change::new(
            "SELECT WHERE NOT EXISTS (SELECT FROM blocked_addresses WHERE digest = decode($1->>'digest', 'hex'))",
            &Digest { digest: &self.0 },
        )?;
        Ok(wants.or(|| INVITATIONS_UNWANTED.into()))
    }

    /// Lets invitations through again: for the proof of an address.
    pub(super) fn unblock(&self) -> Result<Change, Error> {
        Change::new(
            "DELETE FROM blocked_addresses WHERE digest = decode($1->>'digest', 'hex')",
            &Digest { digest: &self.0 },
        )
    }
}

impl Identity {
    /// How an address is remembered that wants no invitations.
    pub fn recipient(&self, email_normalized: &str) -> RecipientDigest {
        RecipientDigest(hex::encode(self.fingerprint(&[b"recipient of invitations", email_normalized.as_bytes()])))
    }

    /// Counts an invitation of somebody to an address.
    ///
    /// # Errors
    /// `Kind::Throttled` when the sender, or all senders to this address, have sent too many.
    pub async fn allow_invitation(&self, sender: AccountId, email_normalized: &str) -> Result<(), Error> {
        let config = &self.inner.config;
        let sender: Uuid = sender.into();
        let debits = [
            (self.throttle_key(&[b"invitations by", sender.as_bytes()]), config.invitations_per_sender),
            (self.throttle_key(&[b"invitations to", email_normalized.as_bytes()]), config.invitations_per_recipient),
        ];
        match self.inner.throttle.debit(&debits).await? {
            Ok(()) => Ok(()),
            Err(Throttled { retry_after }) => Err(Error::later(TOO_MANY_INVITATIONS, retry_after)),
        }
    }

    /// Keeps further invitations from the address that a mailed token went to. Whoever has the token reads its mail.
    ///
    /// # Errors
    /// `Kind::NotFound` for a token that is none.
    pub async fn block_invitations(&self, token: &str) -> Result<(), Error> {
        let email: Option<String> = sqlx::query_scalar(
            "SELECT i.email_normalized FROM invitation_tokens t JOIN invitations i ON i.id = t.invitation_id
             WHERE t.token_hash = $1",
        )
        .bind(mail_token::hash(token))
        .fetch_optional(self.inner.app.pool())
        .await?;
        let RecipientDigest(digest) = self.recipient(&email.ok_or(Error::not_found("invitation"))?);
        sqlx::query(
            "INSERT INTO blocked_addresses (digest) VALUES (decode($1, 'hex')) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(digest)
        .execute(self.inner.app.pool())
        .await?;
        Ok(())
    }
}
