//! Questions about tasks. Names come from the accounts table, never from the log (law 6).

use sqlx::{PgPool, Postgres, QueryBuilder};
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    access::Relation,
    ids::{AccountId, ProjectId, TaskId},
};

use crate::{page::Page, projects::RELATION, relation::ReaderRelation};

/// A task, with what its assignee's account says of itself; an erased account says nothing.
#[derive(Clone, Debug, FromRow)]
pub struct TaskRow {
    /// Id of the task; lists that begin with the newest task are ordered by it.
    pub id: Uuid,
    /// The project it belongs to.
    pub project_id: Uuid,
    /// What is to be done, in a line.
    pub title: String,
    /// What is to be done, at length.
    pub description: String,
    /// Who is to do it.
    pub assignee_id: Option<Uuid>,
    /// Their user name.
    pub assignee_username: Option<String>,
    /// Their full name.
    pub assignee_full_name: Option<String>,
    /// Their e-mail address.
    pub assignee_email: Option<String>,
    /// Address of the assignee's picture; `None` when nobody is assigned, or the account has none or is erased.
    pub assignee_image_url: Option<String>,
    /// How far it is.
    pub status: String,
    /// What kind it is.
    pub task_type: String,
    /// How pressing it is.
    pub priority: String,
    /// When it should be done.
    pub due_at: Option<OffsetDateTime>,
    /// How many comments it has.
    pub comment_count: i32,
    /// Who wrote it down.
    pub created_by: Uuid,
    /// When its creation was decided.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Sequence of its last event.
    pub version: i64,
}

/// Tasks, and how their reader stands to the project.
#[derive(Clone, Debug)]
pub struct TaskList {
    /// The tasks in the order of the list; one more than the page holds when there are more.
    pub tasks: Vec<TaskRow>,
    /// How the reader stands to the project; unknown where there are no tasks, or none for the reader.
    pub relation: Option<Relation>,
}

#[derive(FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    task: TaskRow,
    #[sqlx(flatten)]
    relation: ReaderRelation,
}

const COLUMNS: &str = "t.id, t.project_id, t.title, t.description, t.assignee_id, t.status::text AS status,
    t.task_type::text AS task_type, t.priority::text AS priority, t.due_at, t.comment_count, t.created_by,
    t.created_at, t.updated_at, t.version, a.username AS assignee_username, a.full_name AS assignee_full_name,
    a.email AS assignee_email, a.image_url AS assignee_image_url";

const FROM: &str = "FROM tasks t LEFT JOIN accounts a ON a.id = t.assignee_id ";

/// A task of a project.
pub async fn find(pool: &PgPool, project_id: ProjectId, task_id: TaskId) -> Result<Option<TaskRow>, sqlx::Error> {
    sqlx::query_as(&format!("SELECT {COLUMNS} {FROM} WHERE t.id = $1 AND t.project_id = $2"))
        .bind(task_id.uuid())
        .bind(project_id.uuid())
        .fetch_optional(pool)
        .await
}

/// Narrows a list of tasks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this status.
    pub status: Option<&'a str>,
    /// Only of this type.
    pub task_type: Option<&'a str>,
    /// Only of this priority.
    pub priority: Option<&'a str>,
    /// Only of this account; `Some(None)`: only those that nobody has.
    pub assignee_id: Option<Option<AccountId>>,
    /// Only those due at this time or later.
    pub due_from: Option<OffsetDateTime>,
    /// Only those due before this time.
    pub due_before: Option<OffsetDateTime>,
}

impl Filter<'_> {
    /// The columns that hold one of a few values, their types, and what they are narrowed to.
    fn values(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        [
            ("status", "task_status", self.status),
            ("task_type", "task_type", self.task_type),
            ("priority", "priority", self.priority),
        ]
        .into_iter()
        .filter_map(|(column, sql_type, value)| Some((column, sql_type, value?)))
    }

    /// The column that decides which index a list of the newest walks: the one that leaves least, as a rule. Tasks that
    /// nobody has are many.
    fn leading(&self) -> &'static str {
        match self.assignee_id {
            Some(Some(_)) => "assignee_id",
            _ => self.values().next().map_or("project_id", |(column, ..)| column),
        }
    }

    /// Whether the list is of what is due, in the order in which it is; else it is the newest first.
    pub fn is_by_due(&self) -> bool {
        self.due_from.is_some() || self.due_before.is_some()
    }
}

/// Behind which task a list by due time goes on.
pub type DueCursor = (OffsetDateTime, Uuid);

/// Which part of a list of tasks.
#[derive(Clone, Copy, Debug)]
pub struct TaskPage {
    /// How many; and behind which, for the newest first.
    pub page: Page,
    /// Behind which, in a list by due time.
    pub after_due: Option<DueCursor>,
}

/// Tasks of a project, one more than the page holds if there are more: the newest first, or, when narrowed by due time,
/// what is due first. Of a reader whose relation to it is not known yet, it is found out in passing; none are found for a stranger.
pub async fn list(
    pool: &PgPool,
    project_id: ProjectId,
    filter: Filter<'_>,
    page: TaskPage,
    reader: Option<AccountId>,
) -> Result<TaskList, sqlx::Error> {
    // One statement for both: two that run beside each other take half as long again.
    let mut query = QueryBuilder::<Postgres>::new("WITH reader AS (SELECT ");
    query
        .push_bind(reader.map(AccountId::uuid))
        .push("::uuid AS account, ")
        .push_bind(project_id.uuid())
        .push("::uuid AS project), ");
    query.push(format!("related AS MATERIALIZED (SELECT {RELATION} AS relation) "));
    query.push(format!("SELECT {COLUMNS}, (SELECT relation FROM related) AS relation {FROM} WHERE "));
    // To whom the project does not exist, nothing is looked for in it: this condition is tried once, before any task.
    query.push(if reader.is_some() { "(SELECT relation FROM related) IS NOT NULL" } else { "true" });
    if filter.is_by_due() {
        narrow(&mut query, project_id, &filter, None);
        if let Some(from) = filter.due_from {
            query.push(" AND t.due_at >= ").push_bind(from);
        }
        if let Some(before) = filter.due_before {
            query.push(" AND t.due_at < ").push_bind(before);
        }
        if let Some((due_at, id)) = page.after_due {
            query.push(" AND (t.due_at, t.id) > (").push_bind(due_at).push(", ").push_bind(id).push(")");
        }
        query.push(" AND t.due_at IS NOT NULL ORDER BY t.due_at, t.id");
    } else {
        let leading = filter.leading();
        narrow(&mut query, project_id, &filter, Some(leading));
        // See [`crate::page`]: what leads is compared together with the id, and ordered by.
        for (relation, bound) in [(">=", Uuid::nil()), ("<", page.page.after.unwrap_or(Uuid::max()))] {
            query.push(format!(" AND (t.{leading}, t.id) {relation} ("));
            push_value(&mut query, project_id, &filter, leading);
            query.push(", ").push_bind(bound).push(")");
        }
        query.push(format!(" ORDER BY t.{leading} DESC, t.id DESC"));
    }
    query.push(" LIMIT ").push_bind(page.page.limit + 1).push(" OFFSET ").push_bind(page.page.skip);
    let rows: Vec<ListedRow> = query.build_query_as().fetch_all(pool).await?;
    let relation = rows.first().filter(|_| reader.is_some()).map(|row| row.relation.0);
    Ok(TaskList { tasks: rows.into_iter().map(|row| row.task).collect(), relation })
}

/// Narrows a list by everything but what leads it, which narrows it anyway.
fn narrow(query: &mut QueryBuilder<'_, Postgres>, project_id: ProjectId, filter: &Filter<'_>, leading: Option<&str>) {
    let values = filter.values().map(|(column, ..)| column);
    let assignee = matches!(filter.assignee_id, Some(Some(_))).then_some("assignee_id");
    for column in ["project_id"].into_iter().chain(assignee).chain(values) {
        if leading != Some(column) {
            query.push(format!(" AND t.{column} = "));
            push_value(query, project_id, filter, column);
        }
    }
    if filter.assignee_id == Some(None) {
        query.push(" AND t.assignee_id IS NULL");
    }
}

/// What a column is narrowed to.
fn push_value(query: &mut QueryBuilder<'_, Postgres>, project_id: ProjectId, filter: &Filter<'_>, column: &str) {
    match (column, filter.values().find(|(name, ..)| *name == column)) {
        (_, Some((_, sql_type, value))) => drop(query.push_bind(value.to_owned()).push(format!("::{sql_type}"))),
        ("assignee_id", None) => drop(query.push_bind(filter.assignee_id.flatten().map(AccountId::uuid))),
        _ => drop(query.push_bind(project_id.uuid())),
    }
}

/// An open task whose assignee is no longer a member of its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// Id of the project that the assignee has left; it is not deleted.
    pub project_id: ProjectId,
    /// Id of the task, which is not `done`.
    pub task_id: TaskId,
    /// Who has left.
    pub assignee_id: AccountId,
}

/// Open tasks whose assignee is no longer a member. Of one account in one project, or of all.
pub async fn assigned_to_departed(
    pool: &PgPool,
    of: Option<(ProjectId, AccountId)>,
    limit: i64,
) -> Result<Vec<Abandoned>, sqlx::Error> {
    let found: Vec<(Uuid, Uuid, Uuid)> = sqlx::query_as(
        "SELECT t.project_id, t.id, t.assignee_id FROM tasks t
         JOIN projects p ON p.id = t.project_id AND NOT p.deleted
         LEFT JOIN members m ON m.project_id = t.project_id AND m.account_id = t.assignee_id
         WHERE t.assignee_id IS NOT NULL AND t.status <> 'done' AND m.account_id IS NULL
           AND ($1::uuid IS NULL OR t.project_id = $1 AND t.assignee_id = $2)
         ORDER BY t.id LIMIT $3",
    )
    .bind(of.map(|(project, _)| project.uuid()))
    .bind(of.map(|(_, account)| account.uuid()))
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let typed = |(project, task, assignee)| Abandoned {
        project_id: ProjectId(project),
        task_id: TaskId(task),
        assignee_id: AccountId(assignee),
    };
    Ok(found.into_iter().map(typed).collect())
}
