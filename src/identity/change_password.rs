//! Another password, by somebody who knows the old one.

use std::net::IpAddr;

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    account::{AccountCommand, PasswordChange, SessionEnd},
    ids::{AccountId, SessionId},
};
use workroom_projections::accounts;

use super::{
    Caller, Identity,
    email::EmailAddress,
    password_policy::{Password, PasswordOwner},
    sessions::{EndSessions, end_rows},
    username::Username,
};
use crate::{
    application::{Change, Context, Done, Error, TableChange},
    notify::outbox::{self, MailKind, NewMail, Recipient},
};

impl Identity {
    /// Changes the password. Other sessions of the account end.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong current password, or a new one against the policy; [`Error::Busy`].
    pub async fn change_password(
        &self,
        context: &Context,
        caller: &Caller,
        current: &str,
        new: &str,
        address: IpAddr,
    ) -> Result<Done<()>, Error> {
        let account_id = caller.account_id;
        self.confirm_password(account_id, Some(current), "/current_password", address).await?;
        let hash = self.new_password_hash(account_id, new).await?;
        let set = SetPassword { account_id, hash, keep: caller.session_id(), now: context.now };
        self.set_password(context, set, PasswordChange::Changed, Vec::new()).await
    }

    /// Insists that somebody knows an account's password, if it has one. Wrong ones count as failed sign-ins do.
    pub(super) async fn confirm_password(
        &self,
        account_id: AccountId,
        password: Option<&str>,
        pointer: &'static str,
        address: IpAddr,
    ) -> Result<(), Error> {
        let stored: Option<Option<String>> = sqlx::query_scalar("SELECT password_hash FROM accounts WHERE id = $1")
            .bind(Uuid::from(account_id))
            .fetch_optional(self.inner.app.pool())
            .await?;
        let Some(stored) = stored.ok_or(Error::Unauthenticated("the account no longer exists"))? else {
            return Ok(());
        };
        let wrong = || Error::invalid(pointer, "is not the account's password");
        let password = password.and_then(|password| Password::new(password).ok()).ok_or_else(wrong)?;
        let attempt = self.attempt(&account_id.to_string(), address).await?;
        let is_right = self.inner.hasher.verify(&password, &stored).await.map(|verified| verified.ok);
        if !matches!(is_right, Ok(false)) {
            attempt.forgive().await;
        }
        if is_right? { Ok(()) } else { Err(wrong()) }
    }

    /// Checks a new password against the policy, and hashes it.
    pub(super) async fn new_password_hash(&self, account_id: AccountId, new: &str) -> Result<String, Error> {
        let account = accounts::find(self.inner.app.pool(), account_id.into())
            .await?
            .ok_or(Error::Unauthenticated("the account no longer exists"))?;
        let refused = |error: &dyn std::error::Error| Error::invalid("/new_password", error.to_string());
        let password = Password::new(new).map_err(|error| refused(&error))?;
        let email = account.email.as_deref().and_then(|email| EmailAddress::parse(email).ok());
        let username = Username::parse(&account.username).ok();
        let owner = PasswordOwner { email: email.as_ref(), username: username.as_ref() };
        self.inner.config.password_policy.check(&password, owner).map_err(|error| refused(&error))?;
        Ok(self.inner.hasher.hash(&password).await?)
    }

    pub(super) async fn set_password(
        &self,
        context: &Context,
        tables: impl TableChange + AsRef<SetPassword>,
        change: PasswordChange,
        mut causes: Vec<AccountCommand>,
    ) -> Result<Done<()>, Error> {
        causes.insert(0, AccountCommand::ChangePassword { change });
        let reason = match change {
            PasswordChange::Changed => SessionEnd::PasswordChanged,
            PasswordChange::Reset => SessionEnd::PasswordReset,
        };
        let SetPassword { account_id, keep, .. } = *tables.as_ref();
        // One append ends the rest; it may only be so large.
        self.end_excess(context, account_id).await?;
        let command = EndSessions { account_id, causes, reason, keep };
        let Done { reply: ended, position, visible } =
            self.inner.app.run_with_tables(context, &command, &tables).await?;
        self.inner.revocations.end(&ended);
        outbox::wake();
        Ok(Done { reply: (), position, visible })
    }
}

/// Writes a new hash, ends sessions, and tells the owner by mail.
pub(super) struct SetPassword {
    pub(super) account_id: AccountId,
    pub(super) hash: String,
    pub(super) keep: Option<SessionId>,
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
}

impl TableChange for SetPassword {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let set = Change::new(
            "UPDATE accounts t SET password_hash = a.hash FROM jsonb_to_record($1) AS a (account_id uuid, hash text)
             WHERE t.id = a.account_id",
            &NewPassword { account_id: self.account_id.into(), hash: &self.hash },
        )?;
        let mail = NewMail {
            to: Recipient::Account(self.account_id.into()),
            kind: MailKind::PasswordChanged,
            about: None,
            note: None,
            reason: format!("password_changed:{}:{}", self.account_id, self.now.unix_timestamp_nanos()),
            due_at: self.now,
            expires_at: self.now + time::Duration::days(1),
        };
        Ok(vec![set, end_rows(self.account_id, self.keep, self.now)?, outbox::enqueue(&mail)?])
    }
}
