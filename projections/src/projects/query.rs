//! Questions about projects. Every answer carries how the asking account stands to the project, so that one statement
//! both finds it and tells whether it may be seen.

use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::page::{Listed, Page};

/// A project as one account sees it.
#[derive(Clone, Debug, FromRow)]
pub struct ProjectRow {
    /// Its id.
    pub id: Uuid,
    /// The organization it lives in.
    pub organization_id: Uuid,
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Whether any signed-in account may look at it.
    pub is_public: bool,
    /// How far it is.
    pub status: String,
    /// How pressing it is.
    pub priority: String,
    /// First day.
    pub start_date: Option<Date>,
    /// Last day.
    pub end_date: Option<Date>,
    /// Who founded it.
    pub created_by: Uuid,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Sequence of its last event.
    pub version: i64,
    /// The asking account's role; none for a visitor.
    pub my_role: Option<String>,
    /// How many belong to it.
    pub member_count: i32,
}

const SELECT: &str = "SELECT p.id, p.organization_id, p.name, p.description, p.is_public, p.status::text AS status, p.priority::text AS priority,
    p.start_date, p.end_date, p.created_by, p.created_at, p.updated_at, p.version, m.role::text AS my_role,
    COALESCE(r.member_count, 0) AS member_count
    FROM projects p LEFT JOIN rosters r ON r.project_id = p.id ";

/// A living project, with the role that `account_id` has in it. Whether the account may see it is the caller's to
/// decide.
///
/// # Errors
/// The database's.
pub async fn find(pool: &PgPool, project_id: Uuid, account_id: Uuid) -> Result<Option<ProjectRow>, sqlx::Error> {
    QueryBuilder::<Postgres>::new(SELECT)
        .push("LEFT JOIN members m ON m.project_id = p.id AND m.account_id = ")
        .push_bind(account_id)
        .push(" WHERE NOT p.deleted AND p.id = ")
        .push_bind(project_id)
        .build_query_as()
        .fetch_optional(pool)
        .await
}

/// What about a project never changes.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Founding {
    /// Who founded it.
    pub created_by: Uuid,
    /// When.
    pub created_at: OffsetDateTime,
}

/// Who founded a project, and when.
///
/// # Errors
/// The database's.
pub async fn founding(pool: &PgPool, project_id: Uuid) -> Result<Option<Founding>, sqlx::Error> {
    // From the log: it has the founding of a project that the views may not show yet.
    sqlx::query_as(
        "SELECT substr(metadata->>'actor', length('account:') + 1)::uuid AS created_by,
                (metadata->>'occurred_at')::timestamptz AS created_at
         FROM events WHERE aggregate_type = 'project' AND aggregate_id = $1 AND sequence = 1",
    )
    .bind(project_id.to_string())
    .fetch_optional(pool)
    .await
}

/// Narrows a list of projects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this organization.
    pub organization_id: Option<Uuid>,
    /// Only of this status.
    pub status: Option<&'a str>,
}

/// The projects that an account belongs to, newest first.
///
/// # Errors
/// The database's.
pub async fn list(
    pool: &PgPool,
    account_id: Uuid,
    filter: Filter<'_>,
    page: Page,
) -> Result<Listed<ProjectRow>, sqlx::Error> {
    let mut query = QueryBuilder::<Postgres>::new(SELECT);
    query.push("JOIN members m ON m.project_id = p.id AND m.account_id = ").push_bind(account_id);
    query.push(" WHERE NOT p.deleted");
    if let Some(id) = filter.organization_id {
        query.push(" AND p.organization_id = ").push_bind(id);
    }
    if let Some(status) = filter.status {
        query.push(" AND p.status = ").push_bind(status.to_owned()).push("::project_status");
    }
    if let Some(after) = page.after {
        query.push(" AND p.id < ").push_bind(after);
    }
    query.push(" ORDER BY p.id DESC LIMIT ").push_bind(page.limit + 1).push(" OFFSET ").push_bind(page.skip);
    let rows = query.build_query_as().fetch_all(pool).await?;
    Ok(Listed::from_one_more(rows, page, |row: &ProjectRow| row.id))
}
