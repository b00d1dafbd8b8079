//! `POST /projects/{project_id}/purge`

use axum::extract::State as Extract;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Json, ProjectPath},
        history::redact::RedactionRequest,
        reply::AcceptedBody,
    },
};

/// A project that is being purged.
#[derive(Serialize, ToSchema)]
pub struct PurgedProject {
    /// The project's id. Its history says what is done: each redaction is an event of it.
    project_id: Uuid,
}

/// Purge a deleted project: every text in its history is redacted, one event after the other, in the background. For who owned it
/// when it was deleted, and for admins of its organization.
#[utoipa::path(
    post,
    path = "/projects/{project_id}/purge",
    tag = "projects",
    operation_id = "purgeProject",
    responses((status = 409))
)]
pub async fn purge(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Json(request): Json<RedactionRequest>,
) -> Result<AcceptedBody<PurgedProject>, Error> {
    state.app.purge_project(&caller.context, project_id, &request.reason()?).await?;
    Ok(AcceptedBody::new(PurgedProject { project_id: project_id.into() }))
}
