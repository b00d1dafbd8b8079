//! Questions about organizations. Names of people come from the accounts table, never from the log (law 6).

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, OrganizationId};

use crate::page::{Listed, Page};

/// An organization as one of its members sees it.
#[derive(Clone, Debug, FromRow)]
pub struct OrganizationRow {
    /// Id of the organization, which is also the id of its feed.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// The short name in its address.
    pub slug: String,
    /// Address of its picture, http or https; `None` without one.
    pub image_url: Option<String>,
    /// Whether members may create projects in it.
    pub members_can_create_projects: bool,
    /// Whether people may belong to its projects who do not belong to it.
    pub allow_guests: bool,
    /// Whether it is an account's own.
    pub is_personal: bool,
    /// How many belong to it.
    pub member_count: i32,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When its fields last changed.
    pub updated_at: OffsetDateTime,
    /// Sequence of its last event.
    pub version: i64,
    /// The asking account's role.
    pub my_role: String,
}

const COLUMNS: &str = "SELECT o.id, o.name, o.slug, o.image_url, o.members_can_create_projects,
    COALESCE(o.allow_guests, true) AS allow_guests, o.is_personal, o.member_count, o.created_at, o.updated_at, o.version";

const SELECT: &str = ", m.role::text AS my_role
    FROM organization_members m JOIN organizations o ON o.id = m.organization_id ";

/// An organization that was looked for.
#[derive(Clone, Debug, FromRow)]
pub struct Found {
    /// The organization; its `my_role` is empty for who does not belong to it.
    #[sqlx(flatten)]
    pub organization: OrganizationRow,
    /// Whether the log is ahead of what the row tells.
    pub is_behind: bool,
}

/// An organization, with the role that the account has in it. Whether the account may see it is the caller's to decide.
pub async fn find(
    pool: &PgPool,
    organization_id: OrganizationId,
    account_id: AccountId,
) -> Result<Option<Found>, sqlx::Error> {
    let statement = format!(
        "{COLUMNS},
            COALESCE((SELECT m.role::text FROM organization_members m
                      WHERE m.organization_id = o.id AND m.account_id = $2), '') AS my_role,
            COALESCE((SELECT e.sequence FROM events e
                      WHERE e.aggregate_type = 'organization' AND e.aggregate_id = o.id::text
                      ORDER BY e.sequence DESC LIMIT 1), 0) > o.version AS is_behind
         FROM organizations o WHERE o.id = $1"
    );
    sqlx::query_as(&statement).bind(organization_id.uuid()).bind(account_id.uuid()).fetch_optional(pool).await
}

/// The organizations that an account belongs to, newest first.
pub async fn list(pool: &PgPool, account_id: AccountId, page: Page) -> Result<Listed<OrganizationRow>, sqlx::Error> {
    let rows = sqlx::query_as(&format!(
        "{COLUMNS}{SELECT} WHERE m.account_id = $1 AND m.organization_id < $2
         ORDER BY m.organization_id DESC LIMIT $3 OFFSET $4"
    ))
    .bind(account_id.uuid())
    .bind(page.after.unwrap_or(Uuid::max()))
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &OrganizationRow| row.id))
}

/// Organizations that an account shares with others, at most `limit`; with `alone` only those of which it is the only admin.
/// Who is erased does not count.
pub async fn shared_by(
    pool: &PgPool,
    account_id: AccountId,
    alone: bool,
    limit: i64,
) -> Result<Vec<OrganizationId>, sqlx::Error> {
    let found: Vec<Uuid> = sqlx::query_scalar(
        "SELECT m.organization_id FROM organization_members m
         WHERE m.account_id = $1
           AND EXISTS (SELECT FROM organization_members o JOIN accounts a ON a.id = o.account_id
                       WHERE o.organization_id = m.organization_id AND o.account_id <> $1)
           AND (NOT $2 OR m.role = 'admin' AND NOT EXISTS (
                       SELECT FROM organization_members o JOIN accounts a ON a.id = o.account_id
                       WHERE o.organization_id = m.organization_id AND o.account_id <> $1 AND o.role = 'admin'))
         ORDER BY m.organization_id LIMIT $3",
    )
    .bind(account_id.uuid())
    .bind(alone)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(OrganizationId).collect())
}

/// A member of an organization, with what the account says of itself; an erased account says nothing.
#[derive(Clone, Debug, FromRow)]
pub struct OrganizationMemberRow {
    /// Id of the member's account; members are listed by it.
    pub account_id: Uuid,
    /// Role in the organization: `auditor`, `member` or `admin`.
    pub role: String,
    /// When the member was added; a change of the role leaves it as it is.
    pub added_at: OffsetDateTime,
    /// E-mail address; `None` when the account has none or is erased.
    pub email: Option<String>,
    /// User name; `None` when the account is erased.
    pub username: Option<String>,
    /// Full name; `None` when the account has none or is erased.
    pub full_name: Option<String>,
}

const MEMBERS: &str = "SELECT m.account_id, m.role::text AS role, m.added_at, a.email, a.username, a.full_name
    FROM organization_members m LEFT JOIN accounts a ON a.id = m.account_id ";

/// One member of an organization.
pub async fn find_member(
    pool: &PgPool,
    organization_id: OrganizationId,
    account_id: AccountId,
) -> Result<Option<OrganizationMemberRow>, sqlx::Error> {
    sqlx::query_as(&format!("{MEMBERS} WHERE m.organization_id = $1 AND m.account_id = $2"))
        .bind(organization_id.uuid())
        .bind(account_id.uuid())
        .fetch_optional(pool)
        .await
}

/// The members of an organization, by account.
pub async fn members(
    pool: &PgPool,
    organization_id: OrganizationId,
    page: Page,
) -> Result<Listed<OrganizationMemberRow>, sqlx::Error> {
    let rows = sqlx::query_as(&format!(
        "{MEMBERS} WHERE m.organization_id = $1 AND m.account_id > $2
         ORDER BY m.account_id LIMIT $3 OFFSET $4"
    ))
    .bind(organization_id.uuid())
    .bind(page.after.unwrap_or_default())
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &OrganizationMemberRow| row.account_id))
}
