//! Files as clients see them.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_projections::workspaces::FileRow;

/// A file of a workspace. Its content is a resource of its own.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct File {
    /// Its id.
    pub id: Uuid,
    /// The workspace it lies in.
    pub workspace_id: Uuid,
    /// Where it lies.
    #[schema(example = "src/main.py")]
    pub path: String,
    /// How many bytes of UTF-8 are in it.
    pub size: i32,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
    /// Who created it.
    pub created_by: Uuid,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Who moved or wrote it last.
    pub updated_by: Uuid,
    /// When.
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
