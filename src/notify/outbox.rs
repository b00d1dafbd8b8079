//! Mails that wait to be sent.

use std::{sync::LazyLock, time::Duration};

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::application::{At, Change, Error};

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
    /// Asks somebody without an account to join.
    Invitation,
    /// Tells that somebody was added to an organization.
    OrganizationJoined,
    /// Tells that a task was assigned.
    TaskAssigned,
    /// Tells that a task is due.
    TaskDue,
    /// Says what a job has it say.
    JobEmail,
    /// Tells that jobs have failed for good.
    JobsFailed,
}

impl MailKind {
    const ALL: [Self; 9] = [
        Self::EmailVerification,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::Invitation,
        Self::OrganizationJoined,
        Self::TaskAssigned,
        Self::TaskDue,
        Self::JobEmail,
        Self::JobsFailed,
    ];

    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailVerification => "email_verification",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::Invitation => "invitation",
            Self::OrganizationJoined => "organization_joined",
            Self::TaskAssigned => "task_assigned",
            Self::TaskDue => "task_due",
            Self::JobEmail => "job_email",
            Self::JobsFailed => "jobs_failed",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// To whom a mail goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// To an account's address.
    Account(Uuid),
    /// To the address of an invitation.
    Invitation(Uuid),
}

/// A mail to be sent.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// Whose address it goes to; the address is read when the mail is sent.
    pub to: Recipient,
    /// What it is about.
    pub kind: MailKind,
    /// What it is about: an organization, where it is about one.
    pub about: Option<Uuid>,
    /// What somebody wants said in it.
    pub note: Option<String>,
    /// Why: one mail a reason.
    pub reason: String,
    /// When to send it.
    pub due_at: OffsetDateTime,
    /// When it is no longer worth sending.
    pub expires_at: OffsetDateTime,
}

#[derive(Serialize)]
struct MailRow<'a> {
    id: Uuid,
    account_id: Option<Uuid>,
    invitation_id: Option<Uuid>,
    kind: &'static str,
    about: Option<Uuid>,
    note: Option<&'a str>,
    reason: &'a str,
    due_at: At,
    expires_at: At,
}

/// Adds a mail, unless there is one for this reason.
///
/// # Errors
/// What JSON cannot hold, which there is none of.
pub fn enqueue(mail: &NewMail) -> Result<Change, Error> {
    let (account_id, invitation_id) = match mail.to {
        Recipient::Account(id) => (Some(id), None),
        Recipient::Invitation(id) => (None, Some(id)),
    };
    let row = MailRow {
        id: Uuid::now_v7(),
        account_id,
        invitation_id,
        kind: mail.kind.as_str(),
        about: mail.about,
        note: mail.note.as_deref(),
        reason: &mail.reason,
        due_at: At(mail.due_at),
        expires_at: At(mail.expires_at),
    };
    Change::new(
        "INSERT INTO mails (id, account_id, invitation_id, kind, about, note, reason, due_at, expires_at)
         SELECT id, account_id, invitation_id, kind, about, note, reason, due_at, expires_at
         FROM jsonb_to_record($1) AS a (id uuid, account_id uuid, invitation_id uuid, kind text, about uuid, note text,
                                        reason text, due_at timestamptz, expires_at timestamptz)
         ON CONFLICT (reason) DO NOTHING",
        &row,
    )
}

/// The mail that has waited longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// For how long it has been due.
    pub waits: Duration,
    /// How often it was tried to send it.
    pub attempts: i32,
}

/// Whether mails do not leave: the one that has been due longest, if that is for longer than `patience` and none has left since.
pub async fn overdue(pool: &PgPool, patience: Duration) -> Result<Option<Overdue>, sqlx::Error> {
    // One that is tried in vain is due again within minutes; so far the index leads past reminders of times to come.
    let found: Option<(f64, i32)> = sqlx::query_as(
        "SELECT extract(epoch FROM now() - due_at)::double precision, attempts FROM mails
         WHERE sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL
           AND COALESCE(retry_at, due_at) < now() + interval '6 minutes'
           AND due_at < now() - make_interval(secs => $1)
           AND NOT EXISTS (SELECT FROM mails WHERE sent_at IS NOT NULL AND sent_at > now() - make_interval(secs => $1))
         ORDER BY COALESCE(retry_at, due_at) LIMIT 1",
    )
    .bind(patience.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    Ok(found.map(|(seconds, attempts)| Overdue { waits: Duration::from_secs_f64(seconds.max(0.0)), attempts }))
}

/// Tells this process' sender that there is something to do; to be called after the commit.
pub fn wake() {
    ADDED.notify_one();
}

pub(super) async fn added() {
    ADDED.notified().await;
}
