//! Questions about projects. Every answer carries how the asking account stands to the project, so that one statement
//! both finds it and tells whether it may be seen. That is the answer of `project_relation` in Postgres, which says the same as
//! [`Relation`](workroom_domain::access::Relation) does.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use workroom_domain::ids::{AccountId, OrganizationId, ProjectId};

use crate::{
    page::{Listed, Page},
    relation::ReaderRelation,
};

/// A project as one account sees it.
#[derive(Clone, Debug, FromRow)]
pub struct ProjectRow {
    /// Id of the project, which is also the id of its feed and of its membership.
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
    /// First day of the project; `None` when it is not known.
    pub start_date: Option<Date>,
    /// Last day of the project, not before the first; `None` when it is not known.
    pub end_date: Option<Date>,
    /// Who leads it.
    pub team_lead: Option<Uuid>,
    /// Who may change its fields.
    pub edit_policy: String,
    /// Whether the lead may add members.
    pub lead_can_add_members: bool,
    /// Who created it.
    pub created_by: Uuid,
    /// When its creation was decided.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Sequence of its last event.
    pub version: i64,
    /// How the asking account stands to it.
    #[sqlx(flatten)]
    pub relation: ReaderRelation,
    /// How many belong to it.
    pub member_count: i32,
}

/// How an account stands to a project `p`, as `r.relation`.
macro_rules! relation_of {
    ($account:literal) => {
        concat!(
            "CROSS JOIN LATERAL project_relation(p.id, p.organization_id, p.is_public, p.deleted, ",
            $account,
            ") r"
        )
    };
}

/// Whether the log is ahead of the views in something that tells how accounts stand to a project `p`: the project itself, its
/// membership, its organization. Three looks into an index.
macro_rules! is_behind {
    () => {
        "(COALESCE((SELECT e.sequence FROM events e WHERE e.aggregate_type = 'membership' AND e.aggregate_id = p.id::text
                    ORDER BY e.sequence DESC LIMIT 1), 0)
          > COALESCE((SELECT s.version FROM rosters s WHERE s.project_id = p.id), 0)
          OR COALESCE((SELECT e.sequence FROM events e
                       WHERE e.aggregate_type = 'organization' AND e.aggregate_id = p.organization_id::text
                       ORDER BY e.sequence DESC LIMIT 1), 0)
             > COALESCE((SELECT h.version FROM organizations h WHERE h.id = p.organization_id), 0)
          OR COALESCE((SELECT e.sequence FROM events e WHERE e.aggregate_type = 'project' AND e.aggregate_id = p.id::text
                       ORDER BY e.sequence DESC LIMIT 1), 0) > p.version)"
    };
}

const COLUMNS: &str = "SELECT p.id, p.organization_id, p.name, p.description, p.is_public, p.status::text AS status,
    p.priority::text AS priority, p.start_date, p.end_date, p.team_lead, p.edit_policy::text AS edit_policy,
    p.lead_can_add_members, p.created_by, p.created_at, p.updated_at, p.version, r.relation,
    COALESCE((SELECT s.member_count FROM rosters s WHERE s.project_id = p.id), 0) AS member_count";

/// With the account bound as the first parameter.
const FROM: &str = concat!("FROM projects p ", relation_of!("$1"));

/// A project that was looked for.
#[derive(Clone, Debug, FromRow)]
pub struct Found {
    /// The project as the asking account sees it, also when it was deleted.
    #[sqlx(flatten)]
    pub project: ProjectRow,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Whether the log is ahead of what the row tells of the account's rights.
    pub is_behind: bool,
}

/// A project, living or deleted, and how `account_id` stands to it. Whether the account may see it is the caller's to decide.
pub async fn find(pool: &PgPool, project_id: ProjectId, account_id: AccountId) -> Result<Option<Found>, sqlx::Error> {
    let is_behind = is_behind!();
    sqlx::query_as(&format!("{COLUMNS}, p.deleted, {is_behind} AS is_behind {FROM} WHERE p.id = $2"))
        .bind(account_id.uuid())
        .bind(project_id.uuid())
        .fetch_optional(pool)
        .await
}

/// How an account (`reader.account`) stands to a living project (`reader.project`), as one value that a list can carry along;
/// null to whom the project does not exist, and while the log is ahead of the views, for then only the log knows.
pub const RELATION: &str = concat!(
    "(SELECT CASE WHEN ",
    is_behind!(),
    " THEN NULL ELSE r.relation END FROM reader JOIN projects p ON p.id = reader.project ",
    relation_of!("reader.account"),
    " WHERE NOT p.deleted)"
);

/// Narrows a list of projects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this organization.
    pub organization_id: Option<OrganizationId>,
    /// Only of this status.
    pub status: Option<&'a str>,
}

/// The projects that an account belongs to, or whose organization it administers or audits, newest first.
pub async fn list(
    pool: &PgPool,
    account_id: AccountId,
    filter: Filter<'_>,
    page: Page,
) -> Result<Listed<ProjectRow>, sqlx::Error> {
    // Each branch walks an index in the order of the list and stops in time; one condition with OR could not.
    let narrowed = "NOT p.deleted AND ($2::uuid IS NULL OR p.organization_id = $2)
        AND ($3::text IS NULL OR p.status = $3::project_status)";
    let all_of = |organizations: &str| {
        format!(
            "(SELECT o.id FROM {organizations}($1) a
              CROSS JOIN LATERAL
                  (SELECT p.id FROM projects p WHERE (p.organization_id, p.id) < (a.organization_id, $4)
                     AND (p.organization_id, p.id) >= (a.organization_id, '00000000-0000-0000-0000-000000000000')
                     AND {narrowed}
                   ORDER BY p.organization_id DESC, p.id DESC LIMIT $5) o
              ORDER BY o.id DESC LIMIT $5)"
        )
    };
    let (administered, audited) = (all_of("administered_organizations"), all_of("audited_organizations"));
    let rows = sqlx::query_as(&format!(
        "WITH mine AS (
             (SELECT p.id FROM members a JOIN projects p ON p.id = a.project_id
              WHERE a.account_id = $1 AND a.project_id < $4 AND {narrowed} ORDER BY a.project_id DESC LIMIT $5)
             UNION {administered} UNION {audited})
         {COLUMNS} {FROM} JOIN (SELECT id FROM mine ORDER BY id DESC LIMIT $6 OFFSET $7) page ON page.id = p.id
         ORDER BY p.id DESC"
    ))
    .bind(account_id.uuid())
    .bind(filter.organization_id.map(OrganizationId::uuid))
    .bind(filter.status)
    .bind(page.after.unwrap_or(Uuid::max()))
    .bind(page.skip + page.limit + 1)
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &ProjectRow| row.id))
}
