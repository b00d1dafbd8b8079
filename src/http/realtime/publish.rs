//! `POST /projects/{project_id}/realtime`

use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{FileId, WorkspaceId},
};

use crate::{
    application::Error,
    http::{
        State,
        extract::{Body, Caller, ProjectPath, RequestBody},
        problem::codes::MISSING_FIELD,
        reply::AcceptedBody,
    },
    live::{self, CustomMessage},
};

/// A message to everybody who is connected to a project, to one of its workspaces, or to a file of that.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageRequest {
    /// What kind of message it is, for those who get it.
    #[schema(example = "build.finished", min_length = 1, max_length = 64)]
    name: String,
    /// Any JSON, of at most 16 KiB.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
    /// Only to those who have subscribed to this workspace of the project.
    workspace_id: Option<Uuid>,
    /// Only to those who have subscribed to this file of the workspace, which is named with it.
    file_id: Option<Uuid>,
}

impl RequestBody for MessageRequest {
    const CLEARABLE: &'static [&'static str] = &["data"];
}

/// A message that was passed on.
#[derive(Serialize, ToSchema)]
pub struct PublishedMessage {
    /// The project.
    project_id: Uuid,
    /// The workspace, if it went to no more than that.
    workspace_id: Option<Uuid>,
    /// The file, if it went to no more than that.
    file_id: Option<Uuid>,
    /// What kind of message it is.
    name: String,
    /// The account that sent it.
    from: Uuid,
    /// What it says.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
}

/// Send a message to everybody who is connected to the project now. It is not stored, and nobody who is away gets it later. An account
/// may publish 1 MiB a second, and 4 MiB at once, to one instance, over the WebSocket and here together; then 429.
#[utoipa::path(post, path = "/projects/{project_id}/realtime", tag = "realtime", operation_id = "publishMessage")]
pub async fn publish(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectPath { project_id }: ProjectPath,
    Body { value: request, .. }: Body<MessageRequest>,
) -> Result<AcceptedBody<PublishedMessage>, Error> {
    let MessageRequest { name, data, workspace_id, file_id } = request;
    live::check_message(&name, &data)?;
    if file_id.is_some() && workspace_id.is_none() {
        return Err(Error::invalid("/workspace_id", MISSING_FIELD, "must name the workspace that the file lies in"));
    }
    let account_id = caller.identity.account_id;
    state.app.project_for(account_id, project_id, Action::PublishLive).await?;
    let message = CustomMessage { name: name.clone(), from: account_id, connection_id: None, data: data.clone() };
    state.live.publish(project_id, workspace_id.map(WorkspaceId), file_id.map(FileId), message).await?;
    let (project_id, from) = (project_id.into(), account_id.into());
    Ok(AcceptedBody::new(PublishedMessage { project_id, workspace_id, file_id, name, from, data }))
}
