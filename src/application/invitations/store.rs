//! Whom invitations went to, and the secrets in their mails.

use sqlx::{FromRow, PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, InvitationId};
use workroom_projections::page::{Listed, Page};

use super::Host;
use crate::{application::Error, notify::secret};

/// An invitation to add.
pub(super) struct NewInvitation<'a> {
    pub(super) id: Uuid,
    pub(super) host: Host,
    pub(super) role: &'a str,
    pub(super) email: &'a str,
    pub(super) email_normalized: &'a str,
    pub(super) message: Option<&'a str>,
    pub(super) invited_by: Uuid,
    pub(super) created_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
}

fn columns(host: Host) -> (Option<Uuid>, Option<Uuid>) {
    match host {
        Host::Project(id) => (Some(id.into()), None),
        Host::Organization(id) => (None, Some(id.into())),
    }
}

/// Adds an invitation; `false` when the address has one there that can still be accepted.
pub(super) async fn insert(connection: &mut PgConnection, new: &NewInvitation<'_>) -> Result<bool, sqlx::Error> {
    let (project_id, organization_id) = columns(new.host);
    sqlx::query(
        "DELETE FROM invitations WHERE (project_id = $1 OR organization_id = $2) AND email_normalized = $3
             AND (expires_at < $4 OR accepted_at IS NOT NULL)",
    )
    .bind(project_id)
    .bind(organization_id)
    .bind(new.email_normalized)
    .bind(new.created_at)
    .execute(&mut *connection)
    .await?;
    let inserted = sqlx::query(
        "INSERT INTO invitations (id, project_id, organization_id, role, email, email_normalized, message, invited_by,
                                  created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(new.id)
    .bind(project_id)
    .bind(organization_id)
    .bind(new.role)
    .bind(new.email)
    .bind(new.email_normalized)
    .bind(new.message)
    .bind(new.invited_by)
    .bind(new.created_at)
    .bind(new.expires_at)
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// An invitation that waits for an answer.
#[derive(Clone, Debug, FromRow)]
pub struct InvitationRow {
    /// Its id.
    pub id: Uuid,
    /// The project, if it invites to one.
    pub project_id: Option<Uuid>,
    /// The organization, if it invites to one.
    pub organization_id: Option<Uuid>,
    /// The role to be had.
    pub role: String,
    /// The address that it went to.
    pub email: String,
    /// What the inviting person has to say.
    pub message: Option<String>,
    /// Who invites.
    pub invited_by: Uuid,
    /// When it was sent.
    pub created_at: OffsetDateTime,
    /// Until when it can be accepted.
    pub expires_at: OffsetDateTime,
}

const SELECT: &str = "SELECT id, project_id, organization_id, role, email, message, invited_by, created_at, expires_at
    FROM invitations WHERE accepted_at IS NULL AND expires_at >= now() ";

fn of(host: Host) -> &'static str {
    match host {
        Host::Project(_) => "project_id",
        Host::Organization(_) => "organization_id",
    }
}

/// An invitation to a host that waits for an answer.
///
/// # Errors
/// The database's.
pub async fn find(pool: &PgPool, host: Host, id: Uuid) -> Result<Option<InvitationRow>, sqlx::Error> {
    sqlx::query_as(&format!("{SELECT} AND {} = $1 AND id = $2", of(host)))
        .bind(host.id())
        .bind(id)
        .fetch_optional(pool)
        .await
}

/// The invitations to a host that wait for an answer, the newest first.
///
/// # Errors
/// The database's.
pub async fn list(pool: &PgPool, host: Host, page: Page) -> Result<Listed<InvitationRow>, sqlx::Error> {
    let parent = of(host);
    let rows = sqlx::query_as(&format!(
        "{SELECT} AND ({parent}, id) < ($1, $2) AND ({parent}, id) >= ($1, $3)
         ORDER BY {parent} DESC, id DESC LIMIT $4 OFFSET $5"
    ))
    .bind(host.id())
    .bind(page.after.unwrap_or(Uuid::max()))
    .bind(Uuid::nil())
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &InvitationRow| row.id))
}

/// The invitation that a token is about, for the account of the address that it went to.
///
/// # Errors
/// [`Error::NotFound`] for a token that is none, [`Error::Forbidden`] for somebody else's.
pub async fn find_invited(pool: &PgPool, token: &str, account_id: AccountId) -> Result<InvitationId, Error> {
    let found: Option<(Uuid, bool)> = sqlx::query_as(
        "SELECT i.id, EXISTS (SELECT FROM accounts a WHERE a.id = $2 AND a.email_normalized = i.email_normalized)
         FROM invitation_tokens t JOIN invitations i ON i.id = t.invitation_id WHERE t.token_hash = $1",
    )
    .bind(secret::hash(token))
    .bind(Uuid::from(account_id))
    .fetch_optional(pool)
    .await?;
    match found {
        Some((id, true)) => Ok(InvitationId(id)),
        Some((_, false)) => Err(Error::Forbidden),
        None => Err(Error::NotFound("invitation")),
    }
}

/// Draws a token for an invitation that is about to be mailed.
///
/// # Errors
/// The database's.
pub async fn issue_token(pool: &PgPool, invitation_id: Uuid) -> Result<String, Error> {
    let token = secret::draw()?;
    sqlx::query("INSERT INTO invitation_tokens (token_hash, invitation_id) VALUES ($1, $2)")
        .bind(secret::hash(&token))
        .bind(invitation_id)
        .execute(pool)
        .await?;
    Ok(token)
}

/// Forgets whom invitations went to that can no longer be accepted.
///
/// # Errors
/// The database's.
pub async fn sweep(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM invitations WHERE expires_at < now() - interval '1 day'").execute(pool).await.map(drop)
}
