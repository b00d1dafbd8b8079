//! `GET /projects/{project_id}/tasks`

use axum::extract::State as Extract;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use workroom_domain::{access::Action, project, task, timestamp::Timestamp};
use workroom_projections::{
    comments,
    page::Listed,
    tasks::{self, DueCursor, Filter, TaskList, TaskPage, TaskRow},
};

use super::model::{Task, TaskStatus, TaskType};
use crate::application::codes::MALFORMED_CURSOR;
use crate::http::problem::codes::INVALID_VALUE;
use crate::{
    application::{Error, reading},
    http::{
        State,
        comments::Comment,
        extract::{Caller, ProjectPath, Query},
        page::{Items, page},
        projects::Priority,
        reply::{List, at_position},
    },
};

/// The query parameters of a project's list of tasks: which tasks to list, and which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListTasksParams {
    /// `comments`: each task with its comments, the first twenty, in the order in which they were made. A reply carries a mebibyte
    /// of them at most; `comment_count` tells whether there are more.
    #[param(inline)]
    include: Option<Included>,
    /// Only tasks of this status.
    status: Option<TaskStatus>,
    /// Only tasks of this type.
    r#type: Option<TaskType>,
    /// Only tasks of this priority.
    priority: Option<Priority>,
    /// Only of this account; `none`: only those that nobody has.
    assignee_id: Option<String>,
    /// Only those due at this time or later. The list is then in the order in which they are due.
    #[param(value_type = Option<String>, format = DateTime)]
    due_from: Option<Timestamp>,
    /// Only those due before this time. The list is then in the order in which they are due.
    #[param(value_type = Option<String>, format = DateTime)]
    due_before: Option<Timestamp>,
    /// Most items to return, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// Pass over so many items first.
    #[param(minimum = 0, maximum = 100_000)]
    skip: Option<i64>,
    /// Wait, for a bounded time, until the list shows this log position.
    min_position: Option<i64>,
}

/// What a list shows besides the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Included {
    /// The first comments on each task, up to twenty, in the order in which they were made.
    Comments,
}

const COMMENTS: comments::Included = comments::Included { each: 20, bytes: 1024 * 1024 };

impl ListTasksParams {
    fn filter(&self) -> Result<Filter<'static>, Error> {
        let assignee_id = match self.assignee_id.as_deref() {
            None => None,
            Some("none") => Some(None),
            Some(id) => {
                let id = Uuid::try_parse(id)
                    .map_err(|_| Error::invalid("/assignee_id", INVALID_VALUE, "is neither an id nor `none`"))?;
                Some(Some(id.into()))
            }
        };
        Ok(Filter {
            status: self.status.map(|status| task::TaskStatus::from(status).as_str()),
            task_type: self.r#type.map(|task_type| task::TaskType::from(task_type).as_str()),
            priority: self.priority.map(|priority| project::Priority::from(priority).as_str()),
            assignee_id,
            due_from: self.due_from.map(Timestamp::get),
            due_before: self.due_before.map(Timestamp::get),
        })
    }
}

/// A list by due time goes on behind a time and an id: microseconds since 1970, then the id.
fn encode((due_at, id): DueCursor) -> String {
    let micros = i64::try_from(due_at.unix_timestamp_nanos() / 1000).unwrap_or_default();
    URL_SAFE_NO_PAD.encode([&micros.to_be_bytes()[..], id.as_bytes()].concat())
}

fn decode(cursor: &str) -> Result<DueCursor, Error> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (micros, id) = (bytes.first_chunk()?, Uuid::from_slice(bytes.get(8..)?).ok()?);
        let nanos = i128::from(i64::from_be_bytes(*micros)) * 1000;
        Some((OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?, id))
    };
    read().ok_or_else(|| Error::invalid("/cursor", MALFORMED_CURSOR, "is not a cursor of this list"))
}

/// The tasks of a project: the newest first, or, when narrowed by due time, what is due first.
#[utoipa::path(get, path = "/projects/{project_id}/tasks", tag = "tasks", operation_id = "listTasks")]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Query(params): Query<ListTasksParams>,
) -> Result<List<Task>, Error> {
    at_position(&state, params.min_position).await?;
    let filter = params.filter()?;
    let cursor = params.cursor.as_deref();
    let (cursor, due_cursor) = if filter.is_by_due() { (None, cursor) } else { (cursor, None) };
    let page = page(params.limit, cursor, params.skip)?;
    let after_due = due_cursor.map(decode).transpose()?;
    let account_id = caller.identity.account_id;
    let part = TaskPage { page, after_due };
    let pool = state.app.pool();
    let TaskList { mut tasks, relation } = tasks::list(pool, project_id, filter, part, Some(account_id)).await?;
    let is_member = if let Some(relation) = relation {
        reading::admit(relation, Action::ViewTasks)?.is_some()
    } else {
        // There are none, or none for a stranger; or only the log knows who is one.
        let project = state.app.project_for(account_id, project_id, Action::ViewTasks).await?;
        tasks = tasks::list(pool, project_id, filter, part, None).await?.tasks;
        project.relation.role().is_some()
    };
    let listed = Listed::from_one_more(tasks, page, |row: &TaskRow| row.id);
    let behind = listed.next.and_then(|_| listed.items.last()).and_then(|row| Some((row.due_at?, row.id)));
    let mut items = Items::of(listed, |row| {
        let task = Task::from(row);
        Ok(if is_member { task } else { task.for_visitors() })
    })?;
    if params.include == Some(Included::Comments) {
        include_comments(pool, &mut items.items, is_member).await?;
    }
    if filter.is_by_due() {
        items.next_cursor = behind.map(encode);
    }
    Ok(items.into())
}

async fn include_comments(pool: &PgPool, tasks: &mut [Task], is_member: bool) -> Result<(), Error> {
    let ids: Vec<Uuid> = tasks.iter().map(|task| task.id).collect();
    let rows = comments::first_of_each(pool, &ids, COMMENTS).await?;
    let mut rows = rows.into_iter().map(Comment::from).peekable();
    for task in tasks {
        let own = std::iter::from_fn(|| rows.next_if(|comment| comment.task_id == task.id));
        task.comments = Some(own.map(|comment| if is_member { comment } else { comment.for_visitors() }).collect());
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_by_due_time_is_read_as_it_was_written() {
        for micros in [0, -1, 1_800_000_000_123_456, 253_402_300_799_999_999] {
            let at = OffsetDateTime::from_unix_timestamp_nanos(micros * 1000).unwrap();
            let id = Uuid::now_v7();
            assert_eq!(decode(&encode((at, id))).unwrap(), (at, id));
        }
        for bad in ["", "x", "AAAA", &URL_SAFE_NO_PAD.encode([255; 24]), &URL_SAFE_NO_PAD.encode([0; 25])] {
            assert!(decode(bad).is_err() || bad.len() == 32, "{bad}");
        }
    }
}
