//! Addresses that want no invitations.

use super::store;
use crate::{
    application::{Change, Error},
    identity::Identity,
};

/// An address that can be invited, as a keyed digest.
#[derive(Clone, Debug)]
pub struct RecipientDigest(String);

impl RecipientDigest {
    /// Requires, with the append of an invitation, that its recipient wants any.
    ///
    /// # Errors
    /// What JSON cannot hold, which there is none of.
    pub fn require_welcome(&self) -> Result<Change, Error> {
        store::require_welcome(&self.0)
    }

    /// Lets invitations through again: for the proof of an address.
    pub(in crate::identity) fn unblock(&self) -> Result<Change, Error> {
        store::unblock(&self.0)
    }
}

impl Identity {
    /// How an address is remembered that wants no invitations.
    pub fn recipient(&self, email_normalized: &str) -> RecipientDigest {
        RecipientDigest(hex::encode(self.fingerprint(&[b"recipient of invitations", email_normalized.as_bytes()])))
    }

    /// Keeps further invitations from the address that a mailed token went to. Whoever has the token reads its mail.
    ///
    /// # Errors
    /// `Kind::NotFound` for a token that is none.
    pub async fn block_invitations(&self, token: &str) -> Result<(), Error> {
        let pool = self.inner.app.pool();
        let email = store::recipient(pool, token).await?.ok_or(Error::not_found("invitation"))?;
        Ok(store::block(pool, &self.recipient(&email).0).await?)
    }
}
