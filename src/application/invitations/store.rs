//! Whom invitations went to, and the secrets in their mails.

use serde::Serialize;
use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_credentials::mail_token;
use workroom_domain::{
    access::{self, Action},
    ids::{AccountId, InvitationId},
};
use workroom_projections::page::{Listed, Page};

use super::Host;
use crate::application::codes::FORBIDDEN;
use crate::application::{At, Change, Error};

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

#[derive(Serialize)]
struct NewRow<'a> {
    id: Uuid,
    project_id: Option<Uuid>,
    organization_id: Option<Uuid>,
    role: &'a str,
    email: &'a str,
    email_normalized: &'a str,
    message: Option<&'a str>,
    invited_by: Uuid,
    created_at: At,
    expires_at: At,
}

fn columns(host: Host) -> (Option<Uuid>, Option<Uuid>) {
    match host {
        Host::Project(id) => (Some(id.into()), None),
        Host::Organization(id) => (None, Some(id.into())),
    }
}

/// Takes away what the address can no longer accept there, and adds an invitation, unless it has one that it can.
pub(super) fn insert(new: &NewInvitation<'_>) -> Result<[Change; 2], Error> {
    let (project_id, organization_id) = columns(new.host);
    let row = NewRow {
        id: new.id,
        project_id,
        organization_id,
        role: new.role,
        email: new.email,
        email_normalized: new.email_normalized,
        message: new.message,
        invited_by: new.invited_by,
        created_at: At(new.created_at),
        expires_at: At(new.expires_at),
    };
    let expire = Change::new(
        "DELETE FROM invitations t
         USING jsonb_to_record($1) AS a (project_id uuid, organization_id uuid, email_normalized text,
                                         created_at timestamptz)
         WHERE (t.project_id = a.project_id OR t.organization_id = a.organization_id)
           AND t.email_normalized = a.email_normalized AND (t.expires_at < a.created_at OR t.accepted_at IS NOT NULL)",
        &row,
    )?;
    let insert = Change::new(
        "INSERT INTO invitations (id, project_id, organization_id, role, email, email_normalized, message, invited_by,
                                  created_at, expires_at)
         SELECT id, project_id, organization_id, role, email, email_normalized, message, invited_by, created_at,
                expires_at
         FROM jsonb_to_record($1) AS a (id uuid, project_id uuid, organization_id uuid, role text, email text,
                                        email_normalized text, message text, invited_by uuid, created_at timestamptz,
                                        expires_at timestamptz)
         ON CONFLICT DO NOTHING",
        &row,
    )?;
    Ok([expire, insert])
}

/// An invitation that waits for an answer.
#[derive(Clone, Debug, FromRow)]
pub struct InvitationRow {
    /// The invitation's id, the same as in the log.
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
    /// The account that sent the invitation.
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
pub async fn find(pool: &PgPool, host: Host, id: InvitationId) -> Result<Option<InvitationRow>, sqlx::Error> {
    sqlx::query_as(&format!("{SELECT} AND {} = $1 AND id = $2", of(host)))
        .bind(host.id())
        .bind(id.uuid())
        .fetch_optional(pool)
        .await
}

/// The invitations to a host that wait for an answer, the newest first.
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

/// Open invitations whose sender does not manage members there any more, as far as the views show: those of one sender, or all.
pub async fn of_departed(
    pool: &PgPool,
    sender: Option<AccountId>,
    limit: i64,
) -> Result<Vec<InvitationId>, sqlx::Error> {
    let found: Vec<Uuid> = sqlx::query_scalar(
        "SELECT i.id FROM invitations i
         WHERE ($1::uuid IS NULL OR i.invited_by = $1) AND i.accepted_at IS NULL AND i.expires_at >= now()
           AND (NOT EXISTS (SELECT FROM accounts a WHERE a.id = i.invited_by)
             OR NOT EXISTS (SELECT FROM organization_members m
                           WHERE m.organization_id = i.organization_id AND m.account_id = i.invited_by
                             AND m.role = 'admin')
           AND NOT EXISTS (SELECT FROM projects p
                           CROSS JOIN LATERAL project_relation(p.id, p.organization_id, p.is_public, p.deleted, i.invited_by) r
                           WHERE p.id = i.project_id AND r.relation = ANY($3))
           AND NOT EXISTS (SELECT FROM projects p
                           WHERE p.id = i.project_id AND p.team_lead = i.invited_by AND p.lead_can_add_members
                             AND NOT p.deleted AND i.role <> 'owner'))
         ORDER BY i.id LIMIT $2",
    )
    .bind(sender.map(AccountId::uuid))
    .bind(limit)
    .bind(access::allowing(Action::ManageMembers))
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(InvitationId).collect())
}

/// The invitation that a token is about, for the account of the address that it went to.
///
/// # Errors
/// `Kind::NotFound` for a token that is none, `Kind::Forbidden` for somebody else's.
pub async fn find_invited(pool: &PgPool, token: &str, account_id: AccountId) -> Result<InvitationId, Error> {
    let found: Option<(Uuid, bool)> = sqlx::query_as(
        "SELECT i.id, EXISTS (SELECT FROM accounts a WHERE a.id = $2 AND a.email_normalized = i.email_normalized)
         FROM invitation_tokens t JOIN invitations i ON i.id = t.invitation_id WHERE t.token_hash = $1",
    )
    .bind(mail_token::hash(token))
    .bind(account_id.uuid())
    .fetch_optional(pool)
    .await?;
    match found {
        Some((id, true)) => Ok(InvitationId(id)),
        Some((_, false)) => Err(FORBIDDEN.into()),
        None => Err(Error::not_found("invitation")),
    }
}

/// Draws a token for an invitation that is about to be mailed.
pub async fn issue_token(pool: &PgPool, invitation_id: Uuid) -> Result<String, Error> {
    let token = mail_token::draw().map_err(Error::failure)?;
    sqlx::query("INSERT INTO invitation_tokens (token_hash, invitation_id) VALUES ($1, $2)")
        .bind(mail_token::hash(&token))
        .bind(invitation_id)
        .execute(pool)
        .await?;
    Ok(token)
}
