//! Questions about projects. Every answer carries how the asking account stands to the project, so that one statement
//! both finds it and tells whether it may be seen.

use sqlx::{FromRow, PgPool};
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
    /// Who leads it.
    pub team_lead: Option<Uuid>,
    /// Who may change its fields.
    pub edit_policy: String,
    /// Whether the lead may add members.
    pub lead_can_add_members: bool,
    /// Who founded it.
    pub created_by: Uuid,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Sequence of its last event.
    pub version: i64,
    /// The asking account's role, an owner's for admins of the organization; none for a visitor.
    pub my_role: Option<String>,
    /// How many belong to it.
    pub member_count: i32,
}

/// The role of an account in a project `p`: an owner's for admins of its organization, unless that is a personal one.
/// Subqueries, not joins: each is a look into an index for a row that is shown, whatever the planner expects of an account
/// with many projects.
macro_rules! role_of {
    ($account:literal) => {
        concat!(
            "CASE WHEN EXISTS (SELECT FROM organization_members o JOIN organizations h ON h.id = o.organization_id
                               WHERE o.organization_id = p.organization_id AND o.account_id = ",
            $account,
            " AND o.role = 'admin' AND NOT h.is_personal)
             THEN 'owner'
             ELSE (SELECT m.role::text FROM members m WHERE m.project_id = p.id AND m.account_id = ",
            $account,
            ") END"
        )
    };
}

/// Whether the log is ahead of the views in something that tells how accounts stand to a project `p`: the project itself, its
/// roster, its organization. Three looks into an index.
macro_rules! is_behind {
    () => {
        "(COALESCE((SELECT e.sequence FROM events e WHERE e.aggregate_type = 'membership' AND e.aggregate_id = p.id::text
                    ORDER BY e.sequence DESC LIMIT 1), 0)
          > COALESCE((SELECT r.version FROM rosters r WHERE r.project_id = p.id), 0)
          OR COALESCE((SELECT e.sequence FROM events e
                       WHERE e.aggregate_type = 'organization' AND e.aggregate_id = p.organization_id::text
                       ORDER BY e.sequence DESC LIMIT 1), 0)
             > COALESCE((SELECT h.version FROM organizations h WHERE h.id = p.organization_id), 0)
          OR COALESCE((SELECT e.sequence FROM events e WHERE e.aggregate_type = 'project' AND e.aggregate_id = p.id::text
                       ORDER BY e.sequence DESC LIMIT 1), 0) > p.version)"
    };
}

/// With the account bound as the first parameter.
const COLUMNS: &str = concat!(
    "SELECT p.id, p.organization_id, p.name, p.description, p.is_public, p.status::text AS status,
    p.priority::text AS priority, p.start_date, p.end_date, p.team_lead, p.edit_policy::text AS edit_policy,
    p.lead_can_add_members,
    p.created_by, p.created_at, p.updated_at, p.version, ",
    role_of!("$1"),
    " AS my_role,
    COALESCE((SELECT r.member_count FROM rosters r WHERE r.project_id = p.id), 0) AS member_count"
);

/// A project that was looked for.
#[derive(Clone, Debug, FromRow)]
pub struct Found {
    /// The project.
    #[sqlx(flatten)]
    pub project: ProjectRow,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Whether the log is ahead of what the row tells of the account's rights.
    pub is_behind: bool,
}

/// A project, with the role that `account_id` has in it, living or deleted. Whether the account may see it is the caller's
/// to decide.
///
/// # Errors
/// The database's.
pub async fn find(pool: &PgPool, project_id: Uuid, account_id: Uuid) -> Result<Option<Found>, sqlx::Error> {
    let is_behind = is_behind!();
    sqlx::query_as(&format!("{COLUMNS}, p.deleted, {is_behind} AS is_behind FROM projects p WHERE p.id = $2"))
        .bind(account_id)
        .bind(project_id)
        .fetch_optional(pool)
        .await
}

/// How an account (`account`) stands to a living project (`project`), as one value that a list can carry along: a role, an
/// owner's for admins of the organization; `visitor`; null to whom the project does not exist, and
/// while the log is ahead of the views, for then only the log knows.
pub const STANDING: &str = concat!(
    "(SELECT CASE WHEN ",
    is_behind!(),
    " THEN NULL ELSE COALESCE(",
    role_of!("reader.account"),
    ", CASE WHEN p.is_public THEN 'visitor' END) END
    FROM projects p, reader WHERE p.id = reader.project AND NOT p.deleted)"
);

/// Narrows a list of projects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this organization.
    pub organization_id: Option<Uuid>,
    /// Only of this status.
    pub status: Option<&'a str>,
}

/// The projects that an account belongs to, or whose organization it administers, newest first.
///
/// # Errors
/// The database's.
pub async fn list(
    pool: &PgPool,
    account_id: Uuid,
    filter: Filter<'_>,
    page: Page,
) -> Result<Listed<ProjectRow>, sqlx::Error> {
    // Each branch walks an index in the order of the list and stops in time; one condition with OR could not.
    let narrowed = "NOT p.deleted AND ($2::uuid IS NULL OR p.organization_id = $2)
        AND ($3::text IS NULL OR p.status = $3::project_status)";
    let rows = sqlx::query_as(&format!(
        "WITH mine AS (
             (SELECT p.id FROM members a JOIN projects p ON p.id = a.project_id
              WHERE a.account_id = $1 AND a.project_id < $4 AND {narrowed} ORDER BY a.project_id DESC LIMIT $5)
             UNION
             (SELECT o.id FROM organization_members a
              JOIN organizations h ON h.id = a.organization_id AND NOT h.is_personal
              CROSS JOIN LATERAL
                  (SELECT p.id FROM projects p WHERE (p.organization_id, p.id) < (a.organization_id, $4)
                     AND (p.organization_id, p.id) >= (a.organization_id, '00000000-0000-0000-0000-000000000000')
                     AND {narrowed}
                   ORDER BY p.organization_id DESC, p.id DESC LIMIT $5) o
              WHERE a.account_id = $1 AND a.role = 'admin' ORDER BY o.id DESC LIMIT $5))
         {COLUMNS} FROM projects p JOIN (SELECT id FROM mine ORDER BY id DESC LIMIT $6 OFFSET $7) page ON page.id = p.id ORDER BY p.id DESC"
    ))
    .bind(account_id)
    .bind(filter.organization_id)
    .bind(filter.status)
    .bind(page.after.unwrap_or(Uuid::max()))
    .bind(page.skip + page.limit + 1)
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &ProjectRow| row.id))
}
