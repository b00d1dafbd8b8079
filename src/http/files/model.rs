//! Files as clients see them.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_projections::workspaces::FileRow;

/// A file of a workspace. Its content is a resource of its own.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct File {
    /// The file's id, a UUIDv7. It stays when the file is moved.
    pub id: Uuid,
    /// The workspace that the file lies in.
    pub workspace_id: Uuid,
    /// Its path in the workspace: relative, with `/` between its parts.
    #[schema(example = "src/main.py")]
    pub path: String,
    /// The size of its content, in bytes of UTF-8.
    pub size: i32,
    /// The SHA-256 of its content, in lower-case hexadecimal.
    pub sha256: String,
    /// The account that created the file.
    pub created_by: Uuid,
    /// The moment of that.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The account that moved or wrote it last.
    pub updated_by: Uuid,
    /// The moment of that.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Its version, as in `ETag`: it counts where the file was put and what was written.
    pub version: i64,
}

impl From<FileRow> for File {
    fn from(row: FileRow) -> Self {
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            path: row.path,
            size: row.size,
            sha256: hex::encode(row.sha256),
            created_by: row.created_by,
            created_at: row.created_at,
            updated_by: row.updated_by,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
