//! Questions about comments. Names come from the accounts table, never from the log (law 6).

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{CommentId, TaskId};

use crate::page::{Listed, Page};

/// A comment, with what its author's account says of itself; an erased account says nothing.
#[derive(Clone, Debug, FromRow)]
pub struct CommentRow {
    /// Id of the comment; a task's comments are listed by it, the oldest first.
    pub id: Uuid,
    /// The task's project.
    pub project_id: Uuid,
    /// Id of the task that it is on.
    pub task_id: Uuid,
    /// Who said it.
    pub author_id: Uuid,
    /// Their user name.
    pub author_username: Option<String>,
    /// Their full name.
    pub author_full_name: Option<String>,
    /// Their e-mail address.
    pub author_email: Option<String>,
    /// Address of the author's picture; `None` when the account has none or is erased.
    pub author_image_url: Option<String>,
    /// What is said.
    pub body: String,
    /// When it was said.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Sequence of its last event.
    pub version: i64,
}

const SELECT: &str = "SELECT c.id, c.project_id, c.task_id, c.author_id, c.body, c.created_at, c.updated_at, c.version,
    a.username AS author_username, a.full_name AS author_full_name, a.email AS author_email,
    a.image_url AS author_image_url
    FROM comments c LEFT JOIN accounts a ON a.id = c.author_id ";

/// A comment on a task.
pub async fn find(pool: &PgPool, task_id: TaskId, comment_id: CommentId) -> Result<Option<CommentRow>, sqlx::Error> {
    sqlx::query_as(&format!("{SELECT} WHERE c.id = $1 AND c.task_id = $2"))
        .bind(comment_id.uuid())
        .bind(task_id.uuid())
        .fetch_optional(pool)
        .await
}

/// How many comments are read along with tasks.
#[derive(Clone, Copy, Debug)]
pub struct Included {
    /// Most of one task.
    pub each: i64,
    /// Most bytes of text in all.
    pub bytes: i64,
}

/// The first comments on each of these tasks: task by task, each in the order in which they were made, as far as `most` goes.
pub async fn first_of_each(pool: &PgPool, task_ids: &[Uuid], most: Included) -> Result<Vec<CommentRow>, sqlx::Error> {
    sqlx::query_as(&format!(
        "WITH first AS (
             SELECT f.id, t.place, sum(octet_length(f.body)) OVER (ORDER BY t.place, f.id) AS bytes
             FROM unnest($1::uuid[]) WITH ORDINALITY AS t (id, place)
             CROSS JOIN LATERAL (
                 SELECT n.id, n.body FROM comments n WHERE (n.task_id, n.id) >= (t.id, $2) AND (n.task_id, n.id) <= (t.id, $3)
                 ORDER BY n.task_id, n.id LIMIT $4) AS f)
         {SELECT} JOIN first ON first.id = c.id WHERE first.bytes <= $5 ORDER BY first.place, c.id"
    ))
    .bind(task_ids)
    .bind(Uuid::nil())
    .bind(Uuid::max())
    .bind(most.each)
    .bind(most.bytes)
    .fetch_all(pool)
    .await
}

/// The comments on a task, in the order in which they were made.
pub async fn list(pool: &PgPool, task_id: TaskId, page: Page) -> Result<Listed<CommentRow>, sqlx::Error> {
    let rows = sqlx::query_as(&format!(
        "{SELECT} WHERE (c.task_id, c.id) > ($1, $2) AND (c.task_id, c.id) <= ($1, $3)
         ORDER BY c.task_id, c.id LIMIT $4 OFFSET $5"
    ))
    .bind(task_id.uuid())
    .bind(page.after.unwrap_or_default())
    .bind(Uuid::max())
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &CommentRow| row.id))
}
