//! Attempts at a password: bounded before the password is looked at, and counted once it was wrong, so that nobody guesses
//! on, nobody locks an owner out, and many right ones at a time are never refused.
//!
//! Failures count against the address they came from (a /64 of IPv6, and in wider steps its /56 and /48), against the
//! account from there, and against the account from everywhere. The last bound is what many addresses together meet. It does
//! not hold for whoever has signed in before: from a [device] that says so, or from the network of a session that goes on.
//!
//! How far guesses that are compared at the same moment can go beyond a bound is bounded by [`ConcurrencyLimits`](super::ConcurrencyLimits).

use std::net::IpAddr;

use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{Charge, Refused, Rule};
use crate::{
    application::Error,
    identity::{
        Identity,
        codes::TOO_MANY_ATTEMPTS,
        device::{self, Device},
        passwords, sessions,
    },
    network::{NETWORK_STEPS, network, wider_network},
};

/// Who wants to be taken for whom, from where.
#[derive(Clone, Copy)]
pub(in crate::identity) struct Claim<'a> {
    /// A normalized e-mail address, or an account's id.
    pub(in crate::identity) who: &'a str,
    /// The client's address.
    pub(in crate::identity) address: IpAddr,
    /// What the client's cookie says about its device.
    pub(in crate::identity) device: Option<&'a str>,
    pub(in crate::identity) now: OffsetDateTime,
}

/// An attempt that may be made. As long as it is kept, few others like it are made.
pub(in crate::identity) struct Attempt<'a> {
    identity: &'a Identity,
    charges: Vec<Charge>,
    is_from_known_device: bool,
    _passed: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Identity {
    /// Lets somebody try to be somebody.
    ///
    /// # Errors
    /// `Kind::Throttled` when there were too many failures; `Kind::Unavailable` when too many from there try at once.
    pub(in crate::identity) async fn attempt(&self, claim: Claim<'_>) -> Result<Attempt<'_>, Error> {
        let network = network(claim.address);
        let device =
            claim.device.and_then(|cookie| device::known(&self.inner.fingerprint_key, claim.who, cookie, claim.now));
        let inner = &self.inner;
        let passed = (
            inner.network_limits.acquire(self.throttle_key(&[b"network gate", &network])).await?,
            inner.account_limits.acquire(self.throttle_key(&[b"account gate", claim.who.as_bytes(), &network])).await?,
        );
        let charges = self.charges(claim, device);
        let attempt = Attempt { identity: self, charges, is_from_known_device: device.is_some(), _passed: passed };
        match inner.throttle.check(&attempt.charges).await? {
            Ok(()) => Ok(attempt),
            Err(Refused { key, retry_after }) => {
                let is_account = device.is_none() && key == self.account_key(claim.who);
                if is_account && self.has_session_from(claim.who, &network).await? {
                    let rest: Vec<Charge> =
                        attempt.charges.iter().copied().filter(|(other, _)| *other != key).collect();
                    if let Err(Refused { retry_after, .. }) = inner.throttle.check(&rest).await? {
                        return Err(too_many(retry_after));
                    }
                    return Ok(Attempt { charges: rest, ..attempt });
                }
                Err(too_many(retry_after))
            }
        }
    }

    /// What a failure of somebody counts against.
    fn charges(&self, Claim { who, address, .. }: Claim<'_>, device: Option<Device>) -> Vec<Charge> {
        let config = &self.inner.config;
        if let Some(device) = device {
            return vec![(self.throttle_key(&[b"device", who.as_bytes(), device.id()]), config.account_attempts)];
        }
        let mut charges: Vec<Charge> = NETWORK_STEPS
            .iter()
            .filter_map(|step| {
                let wider = wider_network(address, step.prefix)?;
                let Rule { attempts, window } = config.address_attempts;
                let rule = Rule { attempts: attempts.saturating_mul(step.times), window };
                Some((self.throttle_key(&[b"address", &[step.prefix], &wider]), rule))
            })
            .collect();
        let network = network(address);
        charges.push((self.throttle_key(&[b"account", who.as_bytes(), &network]), config.account_attempts));
        charges.push((self.account_key(who), config.account_attempts_everywhere));
        charges
    }

    fn account_key(&self, who: &str) -> [u8; 32] {
        self.throttle_key(&[b"account everywhere", who.as_bytes()])
    }

    /// Whether a session that goes on was begun from this network.
    async fn has_session_from(&self, who: &str, network: &[u8; 16]) -> Result<bool, Error> {
        let pool = self.inner.app.pool();
        let account_id = match Uuid::try_parse(who) {
            Ok(id) => Some(id),
            Err(_) => passwords::store::id_by_email(pool, who).await?,
        };
        Ok(sessions::store::goes_on_from(pool, account_id, self.network_digest(network)).await?)
    }

    /// How sessions remember the network they were begun from.
    pub(in crate::identity) fn network_digest(&self, network: &[u8; 16]) -> Vec<u8> {
        self.throttle_key(&[b"network of a session", network])[..16].to_vec()
    }

    pub(in crate::identity) fn throttle_key(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.inner.fingerprint_key.digest(parts)
    }
}

fn too_many(retry_after: std::time::Duration) -> Error {
    Error::later(TOO_MANY_ATTEMPTS, retry_after)
}

impl Attempt<'_> {
    /// Whether it is made on a device that somebody has signed in from before.
    pub(in crate::identity) fn is_from_known_device(&self) -> bool {
        self.is_from_known_device
    }

    /// The password was wrong.
    pub(in crate::identity) async fn failed(self) {
        if let Err(error) = self.identity.inner.throttle.count(&self.charges).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a failed attempt could not be counted");
        }
    }
}
