//! Mails that wait to be sent.

use std::sync::LazyLock;

use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

/// Rung when a mail was added by this process; the sender's timer finds those of others.
static ADDED: LazyLock<Notify> = LazyLock::new(Notify::new);

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// Asks to prove the address.
    EmailVerification,
    /// Lets set a new password.
    PasswordReset,
    /// Tells that the password was changed.
    PasswordChanged,
}

impl MailKind {
    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailVerification => "email_verification",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::EmailVerification, Self::PasswordReset, Self::PasswordChanged]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A mail to be sent.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// To whom.
    pub account_id: Uuid,
    /// What it is about.
    pub kind: MailKind,
    /// Why: one mail a reason.
    pub reason: String,
    /// When to send it.
    pub due_at: OffsetDateTime,
    /// When it is no longer worth sending.
    pub expires_at: OffsetDateTime,
}

/// Adds a mail; `false` when there is one for this reason.
///
/// # Errors
/// The database's.
pub async fn enqueue(connection: &mut PgConnection, mail: &NewMail) -> Result<bool, sqlx::Error> {
    let added = sqlx::query(
        "INSERT INTO mails (id, account_id, kind, reason, due_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (reason) DO NOTHING",
    )
    .bind(Uuid::now_v7())
    .bind(mail.account_id)
    .bind(mail.kind.as_str())
    .bind(&mail.reason)
    .bind(mail.due_at)
    .bind(mail.expires_at)
    .execute(connection)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Tells this process' sender that there is something to do; to be called after the commit.
pub fn wake() {
    ADDED.notify_one();
}

pub(super) async fn added() {
    ADDED.notified().await;
}
