//! Workspaces as clients see them.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_projections::workspaces::WorkspaceRow;

/// A room inside a project, holding files.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Workspace {
    /// The workspace's id, a UUIDv7.
    pub id: Uuid,
    /// The project it belongs to.
    pub project_id: Uuid,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many files lie in it.
    pub file_count: i32,
    /// Who opened it.
    pub created_by: Uuid,
    /// When the workspace was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it, or its tree of files, last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Its version, as in `ETag`.
    pub version: i64,
}

impl From<WorkspaceRow> for Workspace {
    fn from(row: WorkspaceRow) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            name: row.name,
            description: row.description,
            file_count: row.file_count,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
