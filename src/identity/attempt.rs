//! Attempts at a password: counted before the password is looked at, against the address and against the account from
//! there; so that nobody guesses on, and nobody locks an owner out who comes from elsewhere.

use std::net::IpAddr;

use super::{
    Identity,
    throttle::{Debit, Throttled},
};
use crate::{application::Error, http::client_address::network};

/// An attempt that was counted.
pub(super) struct Attempt<'a> {
    identity: &'a Identity,
    debits: [Debit; 2],
}

impl Identity {
    /// Counts an attempt of somebody at that address to be `who`: a normalized e-mail address, or an account's id.
    ///
    /// # Errors
    /// [`Error::Throttled`] when there were too many.
    pub(super) async fn attempt(&self, who: &str, address: IpAddr) -> Result<Attempt<'_>, Error> {
        let network = network(address);
        let config = &self.inner.config;
        let debits = [
            (self.throttle_key(&[b"address", &network]), config.address_attempts),
            (self.throttle_key(&[b"account", who.as_bytes(), &network]), config.account_attempts),
        ];
        match self.inner.throttle.debit(&debits).await? {
            Ok(()) => Ok(Attempt { identity: self, debits }),
            Err(Throttled { retry_after }) => Err(Error::Throttled {
                detail: "too many failed attempts from this address; wait before the next",
                retry_after,
            }),
        }
    }

    fn throttle_key(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut key = [0; 32];
        let digest = self.fingerprint(parts);
        key.iter_mut().zip(digest).for_each(|(byte, of)| *byte = of);
        key
    }
}

impl Attempt<'_> {
    /// It was none: the password was right, or was not looked at.
    pub(super) async fn forgive(self) {
        if let Err(error) = self.identity.inner.throttle.credit(&self.debits).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "an attempt could not be forgiven");
        }
    }
}
