//! What a mail is about, read when it is sent: what it says is true then, or it is not sent.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::JobId;

use super::{
    jobs::{self, FailedJobs},
    outbox::MailKind,
    sender::Due,
};
use crate::clock::now;
use crate::{
    application::{Error, invitations, jobs::EmailInput},
    identity::mail_tokens::{self, Purpose},
};

/// What a mail is about.
#[derive(Debug)]
pub(super) enum Content {
    /// Prove the address.
    EmailVerification { token: String },
    /// Set a new password.
    PasswordReset { token: String },
    /// The password was changed.
    PasswordChanged,
    /// Join an organization or a project.
    Invitation { invitation: InvitationFacts, token: String },
    /// Added to an organization.
    OrganizationJoined { organization: OrganizationFacts, note: Option<String> },
    /// A task was assigned.
    TaskAssigned(TaskFacts),
    /// A task is due.
    TaskDue(TaskFacts),
    /// What a job says.
    JobEmail(EmailInput),
    /// Jobs have failed for good.
    JobsFailed(FailedJobs),
}

/// What an invitation says.
#[derive(Debug, FromRow)]
pub(super) struct InvitationFacts {
    pub(super) host: String,
    pub(super) is_project: bool,
    pub(super) role: String,
    pub(super) message: Option<String>,
    pub(super) inviter: Option<String>,
    pub(super) expires_at: OffsetDateTime,
}

/// What an organization says of itself to a new member.
#[derive(Debug, FromRow)]
pub(super) struct OrganizationFacts {
    pub(super) id: Uuid,
    pub(super) name: String,
}

/// What a task says to who is to do it.
#[derive(Debug, FromRow)]
pub(super) struct TaskFacts {
    pub(super) id: Uuid,
    pub(super) project_id: Uuid,
    pub(super) project: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) priority: String,
    pub(super) due_at: Option<OffsetDateTime>,
    pub(super) is_done: bool,
}

impl Content {
    /// The kind of the mail.
    pub(super) fn kind(&self) -> MailKind {
        match self {
            Self::EmailVerification { .. } => MailKind::EmailVerification,
            Self::PasswordReset { .. } => MailKind::PasswordReset,
            Self::PasswordChanged => MailKind::PasswordChanged,
            Self::Invitation { .. } => MailKind::Invitation,
            Self::OrganizationJoined { .. } => MailKind::OrganizationJoined,
            Self::TaskAssigned(_) => MailKind::TaskAssigned,
            Self::TaskDue(_) => MailKind::TaskDue,
            Self::JobEmail(_) => MailKind::JobEmail,
            Self::JobsFailed(_) => MailKind::JobsFailed,
        }
    }

    /// What a mail has to say now; none when it has nothing to say any more.
    pub(super) async fn read(pool: &PgPool, kind: MailKind, mail: &Due) -> Result<Option<Self>, Error> {
        match (kind, mail.account_id, mail.about) {
            (MailKind::EmailVerification, Some(account), _) => {
                let token = issue(pool, account, Purpose::EmailVerification).await?;
                Ok(Some(Self::EmailVerification { token }))
            }
            (MailKind::PasswordReset, Some(account), _) => {
                let token = issue(pool, account, Purpose::PasswordReset).await?;
                Ok(Some(Self::PasswordReset { token }))
            }
            (MailKind::PasswordChanged, Some(_), _) => Ok(Some(Self::PasswordChanged)),
            (MailKind::Invitation, _, _) => invitation(pool, mail).await,
            (MailKind::OrganizationJoined, Some(account), Some(about)) => {
                let organization = organization(pool, about, account).await?;
                Ok(organization.map(|organization| Self::OrganizationJoined { organization, note: mail.note.clone() }))
            }
            (MailKind::TaskAssigned, Some(account), Some(about)) => {
                Ok(task(pool, about, account).await?.map(Self::TaskAssigned))
            }
            (MailKind::TaskDue, Some(account), Some(about)) => {
                let task = task(pool, about, account).await?;
                // Another date has a mail of its own.
                let is_due = |task: &TaskFacts| !task.is_done && task.due_at == Some(mail.asked_for);
                Ok(task.filter(is_due).map(Self::TaskDue))
            }
            (MailKind::JobEmail, Some(_), Some(about)) => {
                Ok(EmailInput::read(pool, JobId(about)).await?.map(Self::JobEmail))
            }
            (MailKind::JobsFailed, Some(account), about) => {
                Ok(jobs::failed(pool, account, about, mail.asked_for).await?.map(Self::JobsFailed))
            }
            _ => Ok(None),
        }
    }
}

async fn issue(pool: &PgPool, account_id: Uuid, purpose: Purpose) -> Result<String, Error> {
    let mut connection = pool.acquire().await?;
    mail_tokens::issue(&mut connection, account_id, purpose, now()).await
}

async fn invitation(pool: &PgPool, mail: &Due) -> Result<Option<Content>, Error> {
    let Some(id) = mail.invitation_id else { return Ok(None) };
    let found: Option<InvitationFacts> = sqlx::query_as(
        "SELECT COALESCE(p.name, o.name) AS host, i.project_id IS NOT NULL AS is_project, i.role, i.message,
                COALESCE(a.full_name, a.username) AS inviter, i.expires_at
         FROM invitations i
         LEFT JOIN projects p ON p.id = i.project_id AND NOT p.deleted
         LEFT JOIN organizations o ON o.id = i.organization_id
         LEFT JOIN accounts a ON a.id = i.invited_by
         WHERE i.id = $1 AND i.accepted_at IS NULL AND i.expires_at > now() AND COALESCE(p.id, o.id) IS NOT NULL",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?;
    let Some(invitation) = found else { return Ok(None) };
    let token = invitations::issue_token(pool, id).await?;
    Ok(Some(Content::Invitation { invitation, token }))
}

async fn organization(pool: &PgPool, id: Uuid, account_id: Uuid) -> Result<Option<OrganizationFacts>, sqlx::Error> {
    sqlx::query_as(
        "SELECT o.id, o.name FROM organizations o
         JOIN organization_members m ON m.organization_id = o.id AND m.account_id = $2 WHERE o.id = $1",
    )
    .bind(id)
    .bind(account_id)
    .fetch_optional(pool)
    .await
}

/// A task that is there, and that a member of its project has.
async fn task(pool: &PgPool, id: Uuid, account_id: Uuid) -> Result<Option<TaskFacts>, sqlx::Error> {
    sqlx::query_as(
        "SELECT t.id, t.project_id, p.name AS project, t.title, t.description, t.priority::text AS priority, t.due_at,
                t.status = 'done' AS is_done
         FROM tasks t
         JOIN projects p ON p.id = t.project_id AND NOT p.deleted
         JOIN members m ON m.project_id = t.project_id AND m.account_id = t.assignee_id
         WHERE t.id = $1 AND t.assignee_id = $2",
    )
    .bind(id)
    .bind(account_id)
    .fetch_optional(pool)
    .await
}
