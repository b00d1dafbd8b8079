//! `GET` and `PUT /projects/{project_id}/workspaces/{workspace_id}/files/{file_id}/content`

use axum::extract::State as Extract;
use workroom_domain::{Decide, file as domain};
use workroom_projections::workspaces;

use super::model::File;
use crate::{
    application::{
        Error,
        files::{FileContent, StoreContent, WriteFile},
        redaction::{codes::CONTENT_REDACTED, has_redactions},
    },
    http::{
        State,
        extract::{Caller, FilePath, IfMatch, IfNoneMatch, PlainText, Query},
        projects::read::ReadParams,
        reply::{OkOrNotModified, Updated, at_position, etag},
    },
};

/// What is in a file.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}/content",
    tag = "files",
    operation_id = "getFileContent", responses((status = 403))
)]
pub async fn read_content(
    Extract(state): Extract<State>,
    caller: Caller,
    path: FilePath,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<OkOrNotModified<String>, Error> {
    at_position(&state, params.min_position).await?;
    let file = super::find_for(&state, &caller, path).await?;
    let content = match file.size {
        0 => Vec::new(),
        _ if known.has(&etag(file.version)) => Vec::new(),
        _ => match workspaces::content(state.app.pool(), path.file_id, &file.sha256).await? {
            Some(content) => content,
            None if has_redactions(state.app.pool(), domain::File::TYPE, path.file_id.into()).await? => {
                return Err(CONTENT_REDACTED.into());
            }
            None => return Err(Error::failure("the content of a file is missing")),
        },
    };
    Ok(OkOrNotModified::text(&known, file.version, content))
}

/// Write all of a file anew.
#[utoipa::path(
    put,
    path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}/content",
    tag = "files",
    operation_id = "writeFileContent"
)]
pub async fn write_content(
    Extract(state): Extract<State>,
    caller: Caller,
    path: FilePath,
    IfMatch(if_version): IfMatch,
    PlainText(text): PlainText,
) -> Result<Updated<File>, Error> {
    let content = FileContent::parse("", text)?;
    let place = super::place(path);
    let command = WriteFile { place, content: content.content(), if_version };
    let store = StoreContent { file_id: place.file_id, content: Some(content) };
    let before = super::before(&state, &caller, path).await?;
    let done = state.app.run_with_tables(&caller.context, &command, &store).await?;
    let file = super::after(&state, &caller, path, &before, &done.reply).await?;
    Ok(Updated::new(done.position, done.visible, file.version, &file))
}
