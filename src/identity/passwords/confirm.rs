//! The proof that somebody who is signed in knows the account's password.

use std::net::IpAddr;

use workroom_domain::{account::refusal::ACCOUNT_ERASED, ids::AccountId};

use super::store;
use crate::{
    application::Error,
    identity::{Identity, codes::WRONG_PASSWORD, password::Password, throttle::Claim},
};

impl Identity {
    /// Requires that somebody knows an account's password, if it has one, and returns its hash. Wrong ones count as failed
    /// sign-ins do.
    pub(in crate::identity) async fn confirm_password(
        &self,
        account_id: AccountId,
        password: Option<&str>,
        pointer: &'static str,
        address: IpAddr,
    ) -> Result<Option<String>, Error> {
        let stored = store::hash(self.inner.app.pool(), account_id).await?;
        let Some(stored) = stored.ok_or(ACCOUNT_ERASED)? else {
            return Ok(None);
        };
        let wrong = || Error::invalid(pointer, WRONG_PASSWORD, "is not the account's password");
        let password = password.and_then(|password| Password::new(password).ok()).ok_or_else(wrong)?;
        let claim = Claim { who: &account_id.to_string(), address, device: None, now: crate::clock::now() };
        let attempt = self.attempt(claim).await?;
        if self.inner.hasher.verify(&password, &stored).await?.ok {
            return Ok(Some(stored));
        }
        attempt.failed().await;
        Err(wrong())
    }
}
