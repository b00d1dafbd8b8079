//! The hashes of passwords, in the table `accounts`.

use serde::Serialize;
use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, SessionId};

use crate::{
    application::{Change, Error, TableChange},
    identity::{
        email::EmailAddress,
        mail_tokens::{self, Purpose},
        sessions, tokens,
    },
    notify::outbox::{self, MailKind, NewMail, Recipient},
};

/// What a sign-in is compared with.
#[derive(FromRow)]
pub(in crate::identity) struct Credentials {
    pub(in crate::identity) id: Uuid,
    pub(in crate::identity) password_hash: Option<String>,
    pub(in crate::identity) is_deactivated: bool,
}

/// The credentials of the account of that address.
pub(in crate::identity) async fn credentials(
    pool: &PgPool,
    email: &EmailAddress,
) -> Result<Option<Credentials>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, password_hash, deactivated_at IS NOT NULL AS is_deactivated FROM accounts
         WHERE email_normalized = $1",
    )
    .bind(email.normalized())
    .fetch_optional(pool)
    .await
}

/// The account of that normalized address.
pub(in crate::identity) async fn id_by_email(
    pool: &PgPool,
    email_normalized: &str,
) -> Result<Option<Uuid>, sqlx::Error> {
    let found = sqlx::query_scalar("SELECT id FROM accounts WHERE email_normalized = $1").bind(email_normalized);
    found.fetch_optional(pool).await
}

/// The account of that address, if a password of its own opens it.
pub(super) async fn open_with_password(pool: &PgPool, email: &EmailAddress) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM accounts
         WHERE email_normalized = $1 AND password_hash IS NOT NULL AND deactivated_at IS NULL",
    )
    .bind(email.normalized())
    .fetch_optional(pool)
    .await
}

/// The hash of an account's password, if there is the account, and if it has a password.
pub(super) async fn hash(pool: &PgPool, account_id: AccountId) -> Result<Option<Option<String>>, sqlx::Error> {
    sqlx::query_scalar("SELECT password_hash FROM accounts WHERE id = $1")
        .bind(Uuid::from(account_id))
        .fetch_optional(pool)
        .await
}

/// Puts one hash of the same password in the place of another.
pub(in crate::identity) async fn replace(
    pool: &PgPool,
    account_id: AccountId,
    old: &str,
    new: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE accounts SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
        .bind(Uuid::from(account_id))
        .bind(old)
        .bind(new)
        .execute(pool)
        .await
        .map(drop)
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
        let end_resets = mail_tokens::end_all(self.account_id.into(), Purpose::PasswordReset)?;
        let mut changes = vec![set, end_resets, sessions::store::end_rows(self.account_id, self.keep, self.now)?];
        if self.revoke_tokens {
            changes.push(tokens::store::delete_all(self.account_id)?);
        }
        changes.push(outbox::enqueue(&mail)?);
        Ok(changes)
    }
}
