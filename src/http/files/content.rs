//! `GET` and `PUT /projects/{project_id}/workspaces/{workspace_id}/files/{file_id}/content`

use axum::{
    extract::State as Extract,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use uuid::Uuid;
use workroom_domain::ids::FileId;
use workroom_projections::workspaces;

use super::model::File;
use crate::{
    application::{
        Error,
        files::{FileContent, StoreContent, WriteFile},
    },
    http::{
        State,
        extract::{Caller, IfMatch, IfNoneMatch, Path, PlainText, Query},
        projects::read::ReadParams,
        reply::{at_position, changed, etag},
    },
};

/// What is in a file.
#[utoipa::path(get, path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}/content", tag = "files",
    params(("project_id" = Uuid, Path), ("workspace_id" = Uuid, Path), ("file_id" = Uuid, Path), ReadParams),
    responses((status = 200, description = "The text", body = String, content_type = "text/plain"),
        (status = 304, description = "As `If-None-Match` has it")))]
pub async fn read_content(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(path): Path<(Uuid, Uuid, Uuid)>,
    Query(params): Query<ReadParams>,
    known: IfNoneMatch,
) -> Result<Response, Error> {
    at_position(&state, params.min_position).await?;
    let file = super::find_for(&state, &caller, path).await?;
    let tag = etag(file.version);
    let mut response = if known.has(&tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let content = match file.size {
            0 => Vec::new(),
            _ => workspaces::content(state.app.pool(), FileId(file.id), &file.sha256)
                .await?
                .ok_or_else(|| Error::failure("the content of a file is missing"))?,
        };
        ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], content).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).map_err(Error::failure)?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// Write all of a file anew.
#[utoipa::path(put, path = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}/content", tag = "files",
    params(("project_id" = Uuid, Path), ("workspace_id" = Uuid, Path), ("file_id" = Uuid, Path)),
    request_body(content = String, content_type = "text/plain", description = "At most 1 MiB of UTF-8"),
    responses((status = 200, description = "The file afterwards", body = File)))]
pub async fn write_content(
    Extract(state): Extract<State>,
    caller: Caller,
    Path(path): Path<(Uuid, Uuid, Uuid)>,
    IfMatch(if_version): IfMatch,
    PlainText(text): PlainText,
) -> Result<Response, Error> {
    let content = FileContent::parse("", text)?;
    let place = super::place(path);
    let command = WriteFile { place, content: content.content(), if_version };
    let store = StoreContent { file_id: place.file_id, content: Some(content) };
    let before = super::before(&state, &caller, path).await?;
    let done = state.app.run_with_tables(&caller.context, &command, &store).await?;
    let file = super::after(&state, &caller, path, &before, &done.reply).await?;
    Ok(changed(done.position, done.visible, file.version, &file))
}
