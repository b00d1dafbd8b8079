//! Attempts at a password: bounded before the password is looked at, and counted once it was wrong, so that nobody guesses
//! on, nobody locks an owner out, and many right ones at a time are never refused.
//!
//! Failures count against the address they came from (a /64 of IPv6, and in wider steps its /56 and /48), against the
//! account from there, and against the account from everywhere. The last bound is what many addresses together meet. It does
//! not hold for whoever has signed in before: from a [device](super::device) that says so, or from the network of a session that goes on.
//!
//! How far guesses that are compared at the same moment can go beyond a bound is told by the [gates](super::gates).

use std::net::IpAddr;

use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{
    Identity,
    device::{self, Device},
    throttle::{Debit, Refused, Rule},
};
use crate::identity::codes::TOO_MANY_ATTEMPTS;
use crate::{
    application::Error,
    http::client_address::{NETWORK_STEPS, network, wider_network},
};

/// Who wants to be taken for whom, from where.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    /// A normalized e-mail address, or an account's id.
    pub(super) who: &'a str,
    /// The client's address.
    pub(super) address: IpAddr,
    /// What the client's cookie says about its device.
    pub(super) device: Option<&'a str>,
    /// When.
    pub(super) now: OffsetDateTime,
}

/// An attempt that may be made. As long as it is kept, few others like it are made.
pub(super) struct Attempt<'a> {
    identity: &'a Identity,
    debits: Vec<Debit>,
    is_from_known_device: bool,
    _passed: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Identity {
    /// Lets somebody try to be somebody.
    ///
    /// # Errors
    /// `Kind::Throttled` when there were too many failures; `Kind::Unavailable` when too many from there try at once.
    pub(super) async fn attempt(&self, claim: Claim<'_>) -> Result<Attempt<'_>, Error> {
        let network = network(claim.address);
        let device =
            claim.device.and_then(|cookie| device::known(&self.inner.fingerprint_key, claim.who, cookie, claim.now));
        let inner = &self.inner;
        let passed = (
            inner.network_gates.pass(self.throttle_key(&[b"network gate", &network])).await?,
            inner.account_gates.pass(self.throttle_key(&[b"account gate", claim.who.as_bytes(), &network])).await?,
        );
        let debits = self.debits(claim, device);
        let attempt = Attempt { identity: self, debits, is_from_known_device: device.is_some(), _passed: passed };
        match inner.throttle.check(&attempt.debits).await? {
            Ok(()) => Ok(attempt),
            Err(Refused { key, retry_after }) => {
                let is_account = device.is_none() && key == self.account_key(claim.who);
                if is_account && self.has_session_from(claim.who, &network).await? {
                    let rest: Vec<Debit> = attempt.debits.iter().copied().filter(|(other, _)| *other != key).collect();
                    if let Err(Refused { retry_after, .. }) = inner.throttle.check(&rest).await? {
                        return Err(too_many(retry_after));
                    }
                    return Ok(Attempt { debits: rest, ..attempt });
                }
                Err(too_many(retry_after))
            }
        }
    }

    /// What a failure of somebody counts against.
    fn debits(&self, Claim { who, address, .. }: Claim<'_>, device: Option<Device>) -> Vec<Debit> {
        let config = &self.inner.config;
        if let Some(device) = device {
            return vec![(self.throttle_key(&[b"device", who.as_bytes(), device.id()]), config.account_attempts)];
        }
        let mut debits: Vec<Debit> = NETWORK_STEPS
            .iter()
            .filter_map(|step| {
                let wider = wider_network(address, step.prefix)?;
                let Rule { attempts, window } = config.address_attempts;
                let rule = Rule { attempts: attempts.saturating_mul(step.times), window };
                Some((self.throttle_key(&[b"address", &[step.prefix], &wider]), rule))
            })
            .collect();
        let network = network(address);
        debits.push((self.throttle_key(&[b"account", who.as_bytes(), &network]), config.account_attempts));
        debits.push((self.account_key(who), config.account_attempts_everywhere));
        debits
    }

    fn account_key(&self, who: &str) -> [u8; 32] {
        self.throttle_key(&[b"account everywhere", who.as_bytes()])
    }

    /// Whether a session that goes on was begun from this network.
    async fn has_session_from(&self, who: &str, network: &[u8; 16]) -> Result<bool, Error> {
        let account_id: Option<Uuid> = if let Ok(id) = Uuid::try_parse(who) {
            Some(id)
        } else {
            let found = sqlx::query_scalar("SELECT id FROM accounts WHERE email_normalized = $1").bind(who);
            found.fetch_optional(self.inner.app.pool()).await?
        };
        let has = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM sessions WHERE account_id = $1 AND network = $2
                              AND ended_at IS NULL AND expires_at > now())",
        );
        Ok(has.bind(account_id).bind(self.network_digest(network)).fetch_one(self.inner.app.pool()).await?)
    }

    /// How sessions remember the network they were begun from.
    pub(super) fn network_digest(&self, network: &[u8; 16]) -> Vec<u8> {
        self.throttle_key(&[b"network of a session", network])[..16].to_vec()
    }

    pub(super) fn throttle_key(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.inner.fingerprint_key.digest(parts)
    }
}

fn too_many(retry_after: std::time::Duration) -> Error {
    Error::later(TOO_MANY_ATTEMPTS, retry_after)
}

impl Attempt<'_> {
    /// Whether it is made on a device that somebody has signed in from before.
    pub(super) fn is_from_known_device(&self) -> bool {
        self.is_from_known_device
    }

    /// The password was wrong.
    pub(super) async fn failed(self) {
        if let Err(error) = self.identity.inner.throttle.count(&self.debits).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a failed attempt could not be counted");
        }
    }
}
