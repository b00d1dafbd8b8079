//! What mailed tokens are for: a new password for somebody who forgot the old one, and proof of an address.

use std::net::IpAddr;

use serde::Serialize;
use sqlx::FromRow;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use workroom_domain::{
    account::{AccountCommand, PasswordChange, SessionEnd},
    actor::{Actor, SystemActor},
    ids::{AccountId, SessionId},
};

use super::{
    Caller, Identity,
    change_password::{EndedCredentials, SetPassword},
    email::EmailAddress,
    invitation_limits::RecipientDigest,
    mail_token::{self, Purpose},
    sessions::{EndSessions, end_rows},
    tokens,
};
use crate::identity::codes::MAIL_TOKEN_INVALID;
use crate::{
    application::{At, Change, Context, Done, EmailProof, Error, TableChange, accounts::RecordAccount},
    http::client_address::network,
    notify::outbox::{self, MailKind, NewMail, Recipient},
};

/// One mail of a kind to an account in this long, however often it is asked for.
const MAIL_EVERY: i64 = 60;

fn not_good() -> Error {
    Error::invalid("/token", MAIL_TOKEN_INVALID, "is not, or no longer, valid")
}

#[derive(FromRow)]
struct Forgetful {
    id: Uuid,
}

impl Identity {
    /// Sends a mail for a new password, if the address is an account's. Whoever asks learns nothing, not even by the
    /// clock: the work goes on behind.
    pub fn forgot_password(&self, correlation_id: Uuid, email: &str) {
        let Ok(email) = EmailAddress::parse(email) else { return };
        let identity = self.clone();
        tokio::spawn(async move {
            if let Err(error) = identity.mail_reset(correlation_id, &email).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a mail for a new password was not sent");
            }
        });
    }

    async fn mail_reset(&self, correlation_id: Uuid, email: &EmailAddress) -> Result<(), Error> {
        let found: Option<Forgetful> = sqlx::query_as(
            "SELECT id FROM accounts
             WHERE email_normalized = $1 AND password_hash IS NOT NULL AND deactivated_at IS NULL",
        )
        .bind(email.normalized())
        .fetch_optional(self.inner.app.pool())
        .await?;
        let Some(Forgetful { id }) = found else { return Ok(()) };
        let context = Context::new(Actor::System(SystemActor::Identity), correlation_id);
        let record = RecordAccount { account_id: AccountId(id), command: AccountCommand::RequestPasswordReset };
        self.send(&context, record, MailKind::PasswordReset, Duration::hours(1)).await
    }

    /// Sends the mail that proves an address once more.
    ///
    /// # Errors
    /// The database's.
    pub async fn mail_verification(&self, context: &Context) -> Result<(), Error> {
        let account_id = context.account()?;
        let is_open: Option<bool> =
            sqlx::query_scalar("SELECT email IS NOT NULL AND email_verified_at IS NULL FROM accounts WHERE id = $1")
                .bind(Uuid::from(account_id))
                .fetch_optional(self.inner.app.pool())
                .await?;
        if is_open != Some(true) {
            return Ok(());
        }
        let mail = new_mail(context, account_id, MailKind::EmailVerification, Duration::days(1));
        outbox::enqueue(&mail)?.run(self.inner.app.pool()).await?;
        outbox::wake();
        Ok(())
    }

    async fn send(
        &self,
        context: &Context,
        record: RecordAccount,
        kind: MailKind,
        holds: Duration,
    ) -> Result<(), Error> {
        let mail = new_mail(context, record.account_id, kind, holds);
        match self.inner.app.run_with_tables(context, &record, &Enqueue { mail }).await {
            Ok(_) => outbox::wake(),
            Err(Error::Overtaken) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

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
        let account_id = mail_token::peek(self.inner.app.pool(), token, Purpose::PasswordReset, now)
            .await?
            .map(AccountId)
            .ok_or_else(not_good)?;
        let gate = self.throttle_key(&[b"network gate", &network(address)]);
        let passed = self.inner.network_gates.pass(gate).await?;
        let hash = self.new_password_hash(account_id, new).await?;
        drop(passed);
        let context = Context { now, ..Context::new(Actor::Account(account_id), correlation_id) };
        let set = SetPassword { account_id, hash, replaces: None, keep: None, revoke_tokens: true, now };
        let tables = ByToken { token: token.to_owned(), set };
        self.set_password(&context, tables, PasswordChange::Reset).await
    }

    /// Takes a mailed token as proof that the account's address belongs to whoever brings it. The first proof ends sessions and
    /// personal access tokens, which whoever typed the address may have made; unless it is brought by `caller`, who is
    /// signed in to the account: then their session and the tokens stay.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that is not, or no longer, good.
    pub async fn verify_email(
        &self,
        correlation_id: Uuid,
        caller: Option<&Caller>,
        token: &str,
    ) -> Result<Done<()>, Error> {
        let now = crate::clock::now();
        let account_id = mail_token::peek(self.inner.app.pool(), token, Purpose::EmailVerification, now)
            .await?
            .map(AccountId)
            .ok_or_else(not_good)?;
        let context = Context { now, ..Context::new(Actor::Account(account_id), correlation_id) };
        let known: Option<(bool, Option<String>)> =
            sqlx::query_as("SELECT email_verified_at IS NULL, email_normalized FROM accounts WHERE id = $1")
                .bind(Uuid::from(account_id))
                .fetch_optional(self.inner.app.pool())
                .await?;
        let (is_first, email) = known.ok_or_else(not_good)?;
        let recipient = email.map(|email| self.recipient(&email));
        let token = token.to_owned();
        if !is_first || self.inner.app.email_proof() == EmailProof::Trusted {
            let record = RecordAccount { account_id, command: AccountCommand::VerifyEmail };
            let tables = Verify { token, account_id, now, recipient, ends: Ends::Nothing };
            return self.inner.app.run_with_tables(&context, &record, &tables).await;
        }
        let own = caller.filter(|caller| caller.account_id == account_id).and_then(Caller::session_id);
        self.end_excess(&context, account_id).await?;
        let command = EndSessions {
            account_id,
            causes: vec![AccountCommand::VerifyEmail],
            reason: SessionEnd::EmailVerified,
            keep: own,
            tokens: own.is_none(),
        };
        let ends = Ends::Sessions { keep: own };
        let tables = Verify { token, account_id, now, recipient, ends };
        let Done { reply: ended, position, visible } =
            self.inner.app.run_with_tables(&context, &command, &tables).await?;
        self.inner.revocations.end(&ended.credentials());
        Ok(Done { reply: (), position, visible })
    }
}

pub(super) fn new_mail(context: &Context, account_id: AccountId, kind: MailKind, holds: Duration) -> NewMail {
    let slot = context.now.unix_timestamp() / MAIL_EVERY;
    NewMail {
        to: Recipient::Account(account_id.into()),
        kind,
        about: None,
        note: None,
        reason: format!("{}:{account_id}:{slot}", kind.as_str()),
        due_at: context.now,
        expires_at: context.now + holds,
    }
}

struct Enqueue {
    mail: NewMail,
}

impl TableChange for Enqueue {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        Ok(vec![outbox::enqueue(&self.mail)?.or(|| Error::Overtaken)])
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
        let redeem = mail_token::redeem(&self.token, Purpose::PasswordReset, account_id.into(), now, not_good)?;
        let mut changes = Vec::from(redeem);
        // Whoever has the mail reads the address.
        changes.push(verified(account_id, now)?);
        changes.extend(self.set.changes()?);
        Ok(changes)
    }
}

/// What ends with the proof of an address.
enum Ends {
    Nothing,
    /// All sessions and tokens; or all other sessions, where the proof came from one.
    Sessions {
        keep: Option<SessionId>,
    },
}

struct Verify {
    token: String,
    account_id: AccountId,
    now: OffsetDateTime,
    /// The address: who has it may want invitations again.
    recipient: Option<RecipientDigest>,
    ends: Ends,
}

impl TableChange for Verify {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let (account_id, now) = (self.account_id, self.now);
        let redeem = mail_token::redeem(&self.token, Purpose::EmailVerification, account_id.into(), now, not_good)?;
        let mut changes = Vec::from(redeem);
        changes.push(verified(account_id, now)?);
        if let Some(recipient) = &self.recipient {
            changes.push(recipient.unblock()?);
        }
        if let Ends::Sessions { keep } = self.ends {
            changes.push(end_rows(account_id, keep, now)?);
            if keep.is_none() {
                changes.push(tokens::delete_all(account_id)?);
            }
        }
        Ok(changes)
    }
}

#[derive(Serialize)]
struct Verified {
    account_id: Uuid,
    now: At,
}

fn verified(account_id: AccountId, now: time::OffsetDateTime) -> Result<Change, Error> {
    Change::new(
        "UPDATE accounts t SET email_verified_at = COALESCE(t.email_verified_at, a.now)
         FROM jsonb_to_record($1) AS a (account_id uuid, now timestamptz) WHERE t.id = a.account_id",
        &Verified { account_id: account_id.into(), now: At(now) },
    )
}
