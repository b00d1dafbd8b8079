//! Another password, by somebody who knows the old one.

use std::net::IpAddr;

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::account::refusal::ACCOUNT_ERASED;
use workroom_domain::{
    account::{AccountCommand, PasswordChange, SessionEnd},
    ids::{AccountId, SessionId},
};
use workroom_projections::accounts;

use super::{
    Caller, Identity,
    attempt::Claim,
    email::EmailAddress,
    mail_token::{self, Purpose},
    password::{Password, PasswordOwner, PasswordRefused, Queue},
    sessions::{EndSessions, end_rows},
    tokens,
    username::Username,
};
use crate::application::in_field;
use crate::identity::codes::{NO_PASSWORD, WRONG_PASSWORD};
use crate::{
    application::{Change, Context, Done, Error, TableChange},
    notify::outbox::{self, MailKind, NewMail, Recipient},
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

/// How much ended with an old password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedCredentials {
    /// Sessions.
    pub sessions: usize,
    /// Personal access tokens.
    pub tokens: usize,
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

    /// Insists that somebody knows an account's password, if it has one, and returns its hash. Wrong ones count as failed
    /// sign-ins do.
    pub(super) async fn confirm_password(
        &self,
        account_id: AccountId,
        password: Option<&str>,
        pointer: &'static str,
        address: IpAddr,
    ) -> Result<Option<String>, Error> {
        let stored: Option<Option<String>> = sqlx::query_scalar("SELECT password_hash FROM accounts WHERE id = $1")
            .bind(Uuid::from(account_id))
            .fetch_optional(self.inner.app.pool())
            .await?;
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

    /// Checks a new password against the policy, and hashes it.
    pub(super) async fn new_password_hash(&self, account_id: AccountId, new: &str) -> Result<String, Error> {
        let account = accounts::find(self.inner.app.pool(), account_id.into()).await?.ok_or(ACCOUNT_ERASED)?;
        let password = Password::new(new).map_err(in_field("/new_password"))?;
        let email = account.email.as_deref().and_then(|email| EmailAddress::parse(email).ok());
        let username = Username::parse(&account.username).ok();
        let full_name = account.full_name.as_deref();
        let owner = PasswordOwner { email: email.as_ref(), username: username.as_ref(), full_name };
        self.inner.config.password_policy.check(&password, owner).map_err(in_field("/new_password"))?;
        self.approve_and_hash(&password, owner, Queue::Recovery).await?.map_err(in_field("/new_password"))
    }

    /// Hashes a new password, unless it is easy to guess.
    pub(super) async fn approve_and_hash(
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

/// Writes a new hash, ends sessions, and tells the owner by mail.
pub(super) struct SetPassword {
    pub(super) account_id: AccountId,
    pub(super) hash: String,
    /// The hash of the password that was known to whoever changes it; none where another proof was given.
    pub(super) replaces: Option<String>,
    pub(super) keep: Option<SessionId>,
    pub(super) revoke_tokens: bool,
    pub(super) now: OffsetDateTime,
}

impl AsRef<Self> for SetPassword {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[derive(Serialize)]
struct NewPassword<'a> {
    account_id: Uuid,
    hash: &'a str,
    replaces: Option<&'a str>,
}

impl TableChange for SetPassword {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let set = Change::new(
            "UPDATE accounts t SET password_hash = a.hash
             FROM jsonb_to_record($1) AS a (account_id uuid, hash text, replaces text)
             WHERE t.id = a.account_id AND (a.replaces IS NULL OR t.password_hash = a.replaces)",
            &NewPassword { account_id: self.account_id.into(), hash: &self.hash, replaces: self.replaces.as_deref() },
        )?;
        let set = set.or(|| Error::Overtaken);
        let mail = NewMail {
            to: Recipient::Account(self.account_id.into()),
            kind: MailKind::PasswordChanged,
            about: None,
            note: None,
            reason: format!("password_changed:{}:{}", self.account_id, self.now.unix_timestamp_nanos()),
            due_at: self.now,
            expires_at: self.now + time::Duration::days(1),
        };
        // Whoever can still set the password anew by mail could undo this.
        let end_resets = mail_token::end_all(self.account_id.into(), Purpose::PasswordReset)?;
        let mut changes = vec![set, end_resets, end_rows(self.account_id, self.keep, self.now)?];
        if self.revoke_tokens {
            changes.push(tokens::delete_all(self.account_id)?);
        }
        changes.push(outbox::enqueue(&mail)?);
        Ok(changes)
    }
}
