//! Questions about workspaces and files.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    file::Sha256,
    ids::{FileId, ProjectId, WorkspaceId},
};

use crate::page::{Listed, Page};

/// A workspace, without the files in it.
#[derive(Clone, Debug, FromRow)]
pub struct WorkspaceRow {
    /// Id of the workspace; a project's workspaces are listed by it, the oldest first.
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
    /// When its creation was decided.
    pub created_at: OffsetDateTime,
    /// When it, or its tree of files, last changed.
    pub updated_at: OffsetDateTime,
    /// Sequence of its last event.
    pub version: i64,
}

const WORKSPACE: &str = "SELECT id, project_id, name, description, file_count, created_by, created_at, updated_at,
    version FROM workspaces ";

/// A workspace of a project.
pub async fn find(
    pool: &PgPool,
    project_id: ProjectId,
    workspace_id: WorkspaceId,
) -> Result<Option<WorkspaceRow>, sqlx::Error> {
    sqlx::query_as(&format!("{WORKSPACE} WHERE id = $1 AND project_id = $2"))
        .bind(workspace_id.uuid())
        .bind(project_id.uuid())
        .fetch_optional(pool)
        .await
}

/// The workspaces of a project, in the order in which they were opened.
pub async fn list(pool: &PgPool, project_id: ProjectId, page: Page) -> Result<Listed<WorkspaceRow>, sqlx::Error> {
    let rows = sqlx::query_as(&format!(
        "{WORKSPACE} WHERE (project_id, id) > ($1, $2) AND (project_id, id) <= ($1, $3)
         ORDER BY project_id, id LIMIT $4 OFFSET $5"
    ))
    .bind(project_id.uuid())
    .bind(page.after.unwrap_or_default())
    .bind(Uuid::max())
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await?;
    Ok(Listed::from_one_more(rows, page, |row: &WorkspaceRow| row.id))
}

/// A file without its content, which [`content`] reads.
#[derive(Clone, Debug, FromRow)]
pub struct FileRow {
    /// Id of the file; it stays the same when the file is moved.
    pub id: Uuid,
    /// The workspace it lies in.
    pub workspace_id: Uuid,
    /// Path in the workspace, relative, with `/` between its parts; no two files of a workspace have the same.
    pub path: String,
    /// How many bytes are in it.
    pub size: i32,
    /// SHA-256 of the content, 32 bytes; [`content`] finds the content by it.
    pub sha256: Vec<u8>,
    /// Who created it.
    pub created_by: Uuid,
    /// When its creation was decided.
    pub created_at: OffsetDateTime,
    /// Who changed it last.
    pub updated_by: Uuid,
    /// When it was last written or moved; the same as `created_at` before that.
    pub updated_at: OffsetDateTime,
    /// How many events it has had.
    pub version: i64,
}

const FILE: &str = "SELECT f.id, f.workspace_id, f.path, f.size, f.sha256, f.created_by, f.created_at, f.updated_by,
    f.updated_at, f.version FROM files f ";

/// A file of a workspace of a project.
pub async fn find_file(
    pool: &PgPool,
    project_id: ProjectId,
    workspace_id: WorkspaceId,
    file_id: FileId,
) -> Result<Option<FileRow>, sqlx::Error> {
    sqlx::query_as(&format!(
        "{FILE} JOIN workspaces w ON w.id = f.workspace_id
         WHERE f.id = $1 AND f.workspace_id = $2 AND w.project_id = $3"
    ))
    .bind(file_id.uuid())
    .bind(workspace_id.uuid())
    .bind(project_id.uuid())
    .fetch_optional(pool)
    .await
}

/// Which part of a list of files.
#[derive(Clone, Copy, Debug)]
pub struct FilePage<'a> {
    /// Only whose path begins so.
    pub prefix: &'a str,
    /// Those that follow this path.
    pub after: &'a str,
    /// Pass over so many first.
    pub skip: i64,
    /// At most so many, and one more if there are more.
    pub limit: i64,
}

/// The files of a workspace by path, byte by byte.
pub async fn files(pool: &PgPool, workspace_id: WorkspaceId, page: FilePage<'_>) -> Result<Vec<FileRow>, sqlx::Error> {
    // The greatest character ends what begins with the prefix, so that the index bounds the walk at both ends.
    sqlx::query_as(&format!(
        "{FILE} WHERE f.workspace_id = $1 AND f.path > $2 AND f.path >= $3 AND f.path < $3 || U&'\\+10FFFF'
             AND starts_with(f.path, $3)
         ORDER BY f.path LIMIT $4 OFFSET $5"
    ))
    .bind(workspace_id.uuid())
    .bind(page.after)
    .bind(page.prefix)
    .bind(page.limit + 1)
    .bind(page.skip)
    .fetch_all(pool)
    .await
}

/// What has this digest and was once in this file.
pub async fn content(pool: &PgPool, file_id: FileId, sha256: &[u8]) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT content FROM file_contents WHERE file_id = $1 AND sha256 = $2")
        .bind(file_id.uuid())
        .bind(sha256)
        .fetch_optional(pool)
        .await
}

/// As [`content`], of many files: each with the digest that is wanted. Those that are not there are left out.
pub async fn contents(pool: &PgPool, wanted: &[(FileId, Sha256)]) -> Result<Vec<(Uuid, Vec<u8>)>, sqlx::Error> {
    let (ids, digests): (Vec<Uuid>, Vec<Vec<u8>>) =
        wanted.iter().map(|(file_id, sha256)| (file_id.uuid(), sha256.0.to_vec())).unzip();
    sqlx::query_as(
        "SELECT c.file_id, c.content FROM unnest($1::uuid[], $2::bytea[]) AS w (file_id, sha256)
         JOIN file_contents c ON c.file_id = w.file_id AND c.sha256 = w.sha256",
    )
    .bind(ids)
    .bind(digests)
    .fetch_all(pool)
    .await
}
