//! Another password, by somebody who knows the old one.

use std::net::IpAddr;

use workroom_domain::account::PasswordChange;

use super::{EndedCredentials, store::SetPassword};
use crate::{
    application::{Context, Done, Error},
    identity::{Caller, Identity, codes::NO_PASSWORD},
};

/// A password to change, by somebody who knows it.
#[derive(Clone)]
pub struct PasswordToChange {
    /// The password that holds now.
    pub current: String,
    /// The one that is to hold.
    pub new: String,
    /// Whether personal access tokens end, too.
    pub revoke_tokens: bool,
}

impl Identity {
    /// Changes the password. Other sessions of the account end, and its personal access tokens, if they are to.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong current password, or a new one against the policy; `Kind::Unavailable`.
    pub async fn change_password(
        &self,
        context: &Context,
        caller: &Caller,
        PasswordToChange { current, new, revoke_tokens }: &PasswordToChange,
        address: IpAddr,
    ) -> Result<Done<EndedCredentials>, Error> {
        let account_id = caller.account_id;
        let mut made: Option<String> = None;
        loop {
            let replaces = self.confirm_password(account_id, Some(current), "/current_password", address).await?;
            // Whoever has a token of another issuer for a while must not get in for good.
            if replaces.is_none() {
                return Err(NO_PASSWORD.into());
            }
            // Who does not know the old password costs no second hash.
            let hash = match &made {
                Some(hash) => hash.clone(),
                None => made.insert(self.new_password_hash(account_id, new).await?).clone(),
            };
            let (keep, now) = (caller.session_id(), context.now);
            let set = SetPassword { account_id, hash, replaces, keep, revoke_tokens: *revoke_tokens, now };
            match self.set_password(context, set, PasswordChange::Changed).await {
                // Whoever changed it meanwhile has won: what was right before is looked at anew.
                Err(Error::Overtaken) => {}
                outcome => return outcome,
            }
        }
    }
}
