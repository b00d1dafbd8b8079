//! How often somebody may invite, and how often an address may be invited.

use uuid::Uuid;
use workroom_domain::ids::AccountId;

use crate::{
    application::Error,
    identity::{Identity, codes::TOO_MANY_INVITATIONS, throttle::Throttled},
};

impl Identity {
    /// Counts an invitation of somebody to an address.
    ///
    /// # Errors
    /// `Kind::Throttled` when the sender, or all senders to this address, have sent too many.
    pub async fn allow_invitation(&self, sender: AccountId, email_normalized: &str) -> Result<(), Error> {
        let config = &self.inner.config;
        let sender: Uuid = sender.into();
        let charges = [
            (self.throttle_key(&[b"invitations by", sender.as_bytes()]), config.invitations_per_sender),
            (self.throttle_key(&[b"invitations to", email_normalized.as_bytes()]), config.invitations_per_recipient),
        ];
        match self.inner.throttle.charge(&charges).await? {
            Ok(()) => Ok(()),
            Err(Throttled { retry_after }) => Err(Error::later(TOO_MANY_INVITATIONS, retry_after)),
        }
    }
}
