//! Comments as clients see them.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_projections::comments::CommentRow;

use crate::http::profile::Profile;

/// A comment on a task.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Comment {
    /// The comment's id, a UUIDv7.
    pub id: Uuid,
    /// The project that the task belongs to.
    pub project_id: Uuid,
    /// The task that is commented on.
    pub task_id: Uuid,
    /// The text, as it was written.
    pub body: String,
    /// The account that wrote the comment.
    pub author_id: Uuid,
    /// The profile of its author; null for a visitor of a public project.
    pub author: Option<Profile>,
    /// When the comment was written.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When its text last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Its version, as in `ETag`.
    pub version: i64,
}

impl Comment {
    /// As somebody sees it who may not see the members.
    pub(in crate::http) fn for_visitors(mut self) -> Self {
        self.author = None;
        self
    }
}

/// Who made a comment, as the account shows itself.
pub(super) fn author(row: &CommentRow) -> Profile {
    Profile {
        user_id: row.author_id,
        username: row.author_username.clone(),
        full_name: row.author_full_name.clone(),
        email: row.author_email.clone(),
        image_url: row.author_image_url.clone(),
    }
}

impl From<CommentRow> for Comment {
    fn from(row: CommentRow) -> Self {
        Self {
            author: Some(author(&row)),
            id: row.id,
            project_id: row.project_id,
            task_id: row.task_id,
            body: row.body,
            author_id: row.author_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
