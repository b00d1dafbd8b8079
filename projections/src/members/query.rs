//! Questions about members. Names and e-mail addresses come from the accounts table, never from the log (law 6).

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, OrganizationId, ProjectId};

/// A member, with what the account says of itself; an erased account says nothing.
#[derive(Clone, Debug, FromRow)]
pub struct MemberRow {
    /// Id of the member's account; members are listed by it.
    pub account_id: Uuid,
    /// Role in the project: `viewer`, `collaborator` or `owner`.
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

/// A part of a project's members.
#[derive(Clone, Debug)]
pub struct MemberList {
    /// The members, by account.
    pub members: Vec<MemberRow>,
    /// Sequence of the membership's last event.
    pub version: i64,
}

const SELECT: &str = "SELECT m.account_id, m.role::text AS role, m.added_at, a.email, a.username, a.full_name
    FROM members m LEFT JOIN accounts a ON a.id = m.account_id ";

const SELECT_WITH_VERSION: &str =
    "SELECT m.account_id, m.role::text AS role, m.added_at, a.email, a.username, a.full_name,
    (SELECT s.version FROM rosters s WHERE s.project_id = m.project_id) AS version
    FROM members m LEFT JOIN accounts a ON a.id = m.account_id ";

#[derive(FromRow)]
struct VersionedRow {
    #[sqlx(flatten)]
    member: MemberRow,
    version: Option<i64>,
}

/// One member of a project, and the membership's version.
pub async fn find_with_version(
    pool: &PgPool,
    project_id: ProjectId,
    account_id: AccountId,
) -> Result<Option<(MemberRow, i64)>, sqlx::Error> {
    let row: Option<VersionedRow> =
        sqlx::query_as(&format!("{SELECT_WITH_VERSION} WHERE m.project_id = $1 AND m.account_id = $2"))
            .bind(project_id.uuid())
            .bind(account_id.uuid())
            .fetch_optional(pool)
            .await?;
    Ok(row.map(|row| (row.member, row.version.unwrap_or_default())))
}

/// One member of a project.
pub async fn find(
    pool: &PgPool,
    project_id: ProjectId,
    account_id: AccountId,
) -> Result<Option<MemberRow>, sqlx::Error> {
    sqlx::query_as(&format!("{SELECT} WHERE m.project_id = $1 AND m.account_id = $2"))
        .bind(project_id.uuid())
        .bind(account_id.uuid())
        .fetch_optional(pool)
        .await
}

/// Accounts that are erased and still belong to a project, or to an organization that somebody else could go on with.
pub async fn erased(pool: &PgPool, limit: i64) -> Result<Vec<AccountId>, sqlx::Error> {
    let found: Vec<Uuid> = sqlx::query_scalar(
        "SELECT m.account_id FROM members m WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = m.account_id)
         UNION
         SELECT m.account_id FROM organization_members m
         WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = m.account_id)
           AND EXISTS (SELECT FROM organization_members o JOIN accounts a ON a.id = o.account_id
                       WHERE o.organization_id = m.organization_id)
         ORDER BY 1 LIMIT $1",
    )
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(AccountId).collect())
}

/// Members of projects who do not belong to the project's organization, which takes no guests, or are its auditors:
/// project and account. Of one organization, or all; one account, or all.
pub async fn outsiders(
    pool: &PgPool,
    organization: Option<OrganizationId>,
    account: Option<AccountId>,
    limit: i64,
) -> Result<Vec<(ProjectId, AccountId)>, sqlx::Error> {
    // A statement for each question, so that each goes by the index that fits it.
    let of_organization = if organization.is_some() { "o.id = $1" } else { "$1 IS NULL" };
    let of_account = if account.is_some() { "m.account_id = $2" } else { "$2 IS NULL" };
    let found: Vec<(Uuid, Uuid)> = sqlx::query_as(&format!(
        "SELECT m.project_id, m.account_id
         FROM organizations o
         JOIN projects p ON p.organization_id = o.id AND NOT p.deleted
         JOIN members m ON m.project_id = p.id
         WHERE NOT o.allow_guests AND {of_organization} AND {of_account}
           AND NOT EXISTS (SELECT FROM organization_members b
                           WHERE b.organization_id = o.id AND b.account_id = m.account_id)
         UNION ALL
         SELECT m.project_id, m.account_id
         FROM organization_members b
         JOIN organizations o ON o.id = b.organization_id AND NOT o.is_personal
         JOIN projects p ON p.organization_id = o.id AND NOT p.deleted
         JOIN members m ON m.project_id = p.id AND m.account_id = b.account_id
         WHERE b.role = 'auditor' AND {of_organization} AND {of_account}
         ORDER BY project_id, account_id LIMIT $3"
    ))
    .bind(organization.map(OrganizationId::uuid))
    .bind(account.map(AccountId::uuid))
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(|(project, account)| (ProjectId(project), AccountId(account))).collect())
}

/// Projects that an account belongs to, at most `limit`.
pub async fn projects_of(pool: &PgPool, account_id: AccountId, limit: i64) -> Result<Vec<ProjectId>, sqlx::Error> {
    let found: Vec<Uuid> =
        sqlx::query_scalar("SELECT project_id FROM members WHERE account_id = $1 ORDER BY project_id LIMIT $2")
            .bind(account_id.uuid())
            .bind(limit)
            .fetch_all(pool)
            .await?;
    Ok(found.into_iter().map(ProjectId).collect())
}

/// Projects that an account shares with others and is the only owner of, at most `limit`. Who is erased does not count.
pub async fn owned_alone(pool: &PgPool, account_id: AccountId, limit: i64) -> Result<Vec<ProjectId>, sqlx::Error> {
    let found: Vec<Uuid> = sqlx::query_scalar(
        "SELECT m.project_id FROM members m
         WHERE m.account_id = $1 AND m.role = 'owner'
           AND NOT EXISTS (SELECT FROM members o JOIN accounts a ON a.id = o.account_id
                           WHERE o.project_id = m.project_id AND o.account_id <> $1 AND o.role = 'owner')
           AND EXISTS (SELECT FROM members o JOIN accounts a ON a.id = o.account_id
                       WHERE o.project_id = m.project_id AND o.account_id <> $1)
         ORDER BY m.project_id LIMIT $2",
    )
    .bind(account_id.uuid())
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(ProjectId).collect())
}

/// Who has owned a project for the longest.
pub async fn first_owner(pool: &PgPool, project_id: ProjectId) -> Result<Option<MemberRow>, sqlx::Error> {
    sqlx::query_as(&format!(
        "{SELECT} WHERE m.project_id = $1 AND m.role = 'owner' ORDER BY m.added_at, m.account_id LIMIT 1"
    ))
    .bind(project_id.uuid())
    .fetch_optional(pool)
    .await
}

/// A part of a project's members, by account.
pub async fn list(
    pool: &PgPool,
    project_id: ProjectId,
    after: Option<Uuid>,
    limit: i64,
    skip: i64,
) -> Result<MemberList, sqlx::Error> {
    // In one statement: the version is that of the members who are shown.
    let rows: Vec<VersionedRow> = sqlx::query_as(&format!(
        "{SELECT_WITH_VERSION} WHERE m.project_id = $1 AND m.account_id > $2 ORDER BY m.account_id LIMIT $3 OFFSET $4"
    ))
    .bind(project_id.uuid())
    .bind(after.unwrap_or_default())
    .bind(limit)
    .bind(skip)
    .fetch_all(pool)
    .await?;
    let version = match rows.first() {
        Some(row) => row.version,
        None => {
            sqlx::query_scalar("SELECT version FROM rosters WHERE project_id = $1")
                .bind(project_id.uuid())
                .fetch_optional(pool)
                .await?
        }
    };
    let members = rows.into_iter().map(|row| row.member).collect();
    let version = version.unwrap_or_default();
    Ok(MemberList { members, version })
}
