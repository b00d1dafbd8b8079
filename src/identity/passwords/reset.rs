//! A new password, by a mailed token.

use std::net::IpAddr;

use uuid::Uuid;
use workroom_domain::{account::PasswordChange, actor::Actor, ids::AccountId};

use super::{EndedCredentials, store::SetPassword};
use crate::{
    application::{Change, Context, Done, Error, TableChange},
    identity::{
        Identity, email,
        mail_tokens::{self, Purpose, not_good},
    },
    network::network,
};

impl Identity {
    /// Sets a new password by a mailed token. All sessions and personal access tokens end: whoever lost the password may have
    /// lost it to somebody.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not, or no longer, good, or a password against the policy.
    pub async fn reset_password(
        &self,
        correlation_id: Uuid,
        token: &str,
        new: &str,
        address: IpAddr,
    ) -> Result<Done<EndedCredentials>, Error> {
        let now = crate::clock::now();
        let account_id = mail_tokens::peek(self.inner.app.pool(), token, Purpose::PasswordReset, now)
            .await?
            .map(AccountId)
            .ok_or_else(not_good)?;
        let limit = self.throttle_key(&[b"network gate", &network(address)]);
        let passed = self.inner.network_limits.acquire(limit).await?;
        let hash = self.new_password_hash(account_id, new).await?;
        drop(passed);
        let context = Context { now, ..Context::new(Actor::Account(account_id), correlation_id) };
        let set = SetPassword { account_id, hash, replaces: None, keep: None, revoke_tokens: true, now };
        let tables = ByToken { token: token.to_owned(), set };
        self.set_password(&context, tables, PasswordChange::Reset).await
    }
}

struct ByToken {
    token: String,
    set: SetPassword,
}

impl AsRef<SetPassword> for ByToken {
    fn as_ref(&self) -> &SetPassword {
        &self.set
    }
}

impl TableChange for ByToken {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let SetPassword { account_id, now, .. } = self.set;
        let redeem = mail_tokens::redeem(&self.token, Purpose::PasswordReset, account_id.into(), now, not_good)?;
        let mut changes = Vec::from(redeem);
        // Whoever has the mail reads the address.
        changes.push(email::store::verified(account_id, now)?);
        changes.extend(self.set.changes()?);
        Ok(changes)
    }
}
