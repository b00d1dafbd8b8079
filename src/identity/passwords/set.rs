//! A new password: checked, hashed, written, and what ends with the old one.

use workroom_domain::{
    account::{AccountCommand, PasswordChange, SessionEnd, refusal::ACCOUNT_ERASED},
    ids::AccountId,
};
use workroom_projections::accounts;

use super::store::SetPassword;
use crate::{
    application::{Context, Done, Error, TableChange, at_pointer},
    identity::{
        Identity,
        email::EmailAddress,
        password::{Password, PasswordOwner, PasswordRefused, Queue},
        sessions::EndSessions,
        username::Username,
    },
    notify::outbox,
};

/// How much ended with an old password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedCredentials {
    /// How many sessions ended; one that was kept does not count.
    pub sessions: usize,
    /// Personal access tokens.
    pub tokens: usize,
}

impl Identity {
    /// Checks a new password against the policy, and hashes it.
    pub(super) async fn new_password_hash(&self, account_id: AccountId, new: &str) -> Result<String, Error> {
        let account = accounts::find(self.inner.app.pool(), account_id.into()).await?.ok_or(ACCOUNT_ERASED)?;
        let password = Password::new(new).map_err(at_pointer("/new_password"))?;
        let email = account.email.as_deref().and_then(|email| EmailAddress::parse(email).ok());
        let username = Username::parse(&account.username).ok();
        let full_name = account.full_name.as_deref();
        let owner = PasswordOwner { email: email.as_ref(), username: username.as_ref(), full_name };
        self.inner.config.password_policy.check(&password, owner).map_err(at_pointer("/new_password"))?;
        self.approve_and_hash(&password, owner, Queue::Recovery).await?.map_err(at_pointer("/new_password"))
    }

    /// Hashes a new password, unless it is easy to guess.
    pub(in crate::identity) async fn approve_and_hash(
        &self,
        password: &Password,
        owner: PasswordOwner<'_>,
        queue: Queue,
    ) -> Result<Result<String, PasswordRefused>, Error> {
        let (policy, words) = (self.inner.config.password_policy.clone(), owner.words());
        let approve = move |password: &Password| policy.check_strength(password, &words);
        Ok(self.inner.hasher.hash_approved(password, queue, approve).await?)
    }

    pub(super) async fn set_password(
        &self,
        context: &Context,
        tables: impl TableChange + AsRef<SetPassword>,
        change: PasswordChange,
    ) -> Result<Done<EndedCredentials>, Error> {
        let causes = vec![AccountCommand::ChangePassword { change }];
        let reason = match change {
            PasswordChange::Changed => SessionEnd::PasswordChanged,
            PasswordChange::Reset => SessionEnd::PasswordReset,
        };
        let SetPassword { account_id, keep, revoke_tokens, .. } = *tables.as_ref();
        // One append ends the rest; it may only be so large.
        self.end_excess(context, account_id).await?;
        let command = EndSessions { account_id, causes, reason, keep, tokens: revoke_tokens };
        let Done { reply: ended, position, visible } =
            self.inner.app.run_with_tables(context, &command, &tables).await?;
        self.inner.revocations.end(&ended.credentials());
        outbox::wake();
        let reply = EndedCredentials { sessions: ended.sessions.len(), tokens: ended.tokens.len() };
        Ok(Done { reply, position, visible })
    }
}
