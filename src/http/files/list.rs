//! `GET /projects/{project_id}/workspaces/{workspace_id}/files`

use axum::extract::State as Extract;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use utoipa::IntoParams;
use workroom_domain::access::Action;
use workroom_projections::workspaces::{self, FilePage};

use super::model::File;
use crate::application::codes::MALFORMED_CURSOR;
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Query, WorkspacePath},
        page::{Items, page},
        reply::{List, at_position},
    },
};

/// The query parameters of a workspace's list of files: which files to list, and which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListFilesParams {
    /// Only whose path begins so: `src/` lists a folder and what is below it.
    #[param(max_length = 1024)]
    prefix: Option<String>,
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

/// The list goes on behind a path.
fn decode(cursor: &str) -> Result<String, Error> {
    let path = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    path.filter(|path| !path.contains('\0'))
        .ok_or_else(|| Error::invalid("/cursor", MALFORMED_CURSOR, "is not a cursor of this list"))
}

/// The files of a workspace, ordered by path.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/workspaces/{workspace_id}/files",
    tag = "files",
    operation_id = "listFiles", responses((status = 403))
)]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    WorkspacePath { project_id, workspace_id }: WorkspacePath,
    Query(params): Query<ListFilesParams>,
) -> Result<List<File>, Error> {
    at_position(&state, params.min_position).await?;
    let page = page(params.limit, None, params.skip)?;
    let after = params.cursor.as_deref().map(decode).transpose()?.unwrap_or_default();
    let prefix = params.prefix.unwrap_or_default();
    let page = FilePage { prefix: &prefix, after: &after, skip: page.skip, limit: page.limit };
    let (account_id, pool) = (caller.identity.account_id, state.app.pool());
    let look = async {
        tokio::try_join!(workspaces::find(pool, project_id, workspace_id), workspaces::files(pool, workspace_id, page))
    };
    let (_, (workspace, mut rows)) =
        state.app.project_then(account_id, project_id, Action::ViewFiles, page.skip, look).await?;
    workspace.ok_or(Error::not_found("workspace"))?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| URL_SAFE_NO_PAD.encode(&row.path));
    Ok(Items { items: rows.into_iter().map(File::from).collect(), next_cursor }.into())
}
