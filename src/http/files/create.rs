//! `POST /projects/{project_id}/workspaces/{workspace_id}/files`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{file::Content, ids::FileId, workspace::FilePath};

use super::model::File;
use crate::application::at_pointer;
use crate::{
    application::{
        Error, all,
        files::{CreateFile, CreatedFile, FileContent, StoreContent},
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, FilePath as FileAddress, RequestBody, WorkspacePath},
        reply::{Created, rendered},
    },
};

/// A text file to create in a workspace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateFileRequest {
    /// Where: a relative path, its parts separated by `/`, none of them `.` or `..`; at most 1,024 bytes.
    #[schema(example = "src/main.py", min_length = 1, max_length = 1024)]
    path: String,
    /// What is in it: at most 1 MiB of UTF-8.
    #[schema(max_length = 1_048_576)]
    content: Option<String>,
}

impl RequestBody for CreateFileRequest {}

/// Where a file is to lie.
pub(super) fn file_path(path: &str) -> Result<FilePath, Error> {
    FilePath::parse(path).map_err(at_pointer("/path"))
}

/// Create a text file in a workspace.
#[utoipa::path(
    post,
    path = "/projects/{project_id}/workspaces/{workspace_id}/files",
    tag = "files",
    operation_id = "createFile"
)]
pub async fn create(
    Extract(state): Extract<State>,
    caller: Caller,
    WorkspacePath { project_id, workspace_id }: WorkspacePath,
    key: ClientKey,
    Body { value, bytes }: Body<CreateFileRequest>,
) -> Result<Created<File>, Error> {
    let id = Uuid::now_v7();
    let address = FileAddress { project_id, workspace_id, file_id: FileId(id) };
    let place = super::place(address);
    let given = value.content.filter(|content| !content.is_empty());
    let (path, content) =
        all((file_path(&value.path), given.map(|content| FileContent::parse("/content", content.into())).transpose()))?;
    let command = CreateFile { place, path, content: content.as_ref().map_or(Content::EMPTY, FileContent::content) };
    let (created_by, now) = (caller.identity.account_id.into(), caller.context.now);
    let key = key.bind(&state, created_by, &bytes);
    let render = |created: &CreatedFile| {
        let file = File {
            id,
            workspace_id: workspace_id.into(),
            path: command.path.as_str().to_owned(),
            size: i32::try_from(command.content.size).unwrap_or(i32::MAX),
            sha256: hex::encode(command.content.sha256.0),
            created_by,
            created_at: now,
            updated_by: created_by,
            updated_at: now,
            version: created.version,
        };
        let location = address.location();
        rendered(StatusCode::CREATED, Some(location), Some(created.version), &file)
    };
    if content.is_none() {
        // Nothing beside the log: with everything else that waits, in one commit.
        return state.app.create(&caller.context, &command, key, render).await.map(Created::from);
    }
    let store = StoreContent { file_id: place.file_id, content };
    state.app.create_with_tables(&caller.context, &command, &store, key, render).await.map(Created::from)
}
