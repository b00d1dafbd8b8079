//! A message that comes by a request, and not from a connection.

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;
use workroom_domain::{
    ids::{FileId, ProjectId, WorkspaceId},
    refusal::{EMPTY, FORBIDDEN_CHARACTER, TOO_LONG},
    workspace::Workspace,
};

use super::{CustomMessage, MAX_MESSAGE_BYTES, MAX_NAME, RoomId, keeper};
use crate::{
    application::{Error, Violation},
    http::problem::codes::TOO_MANY_REQUESTS,
    live::Live,
};

/// After how long somebody who has said too much may say something again.
const QUOTA_PAUSE: Duration = Duration::from_secs(1);

/// Whether a custom message may be like this.
///
/// # Errors
/// [`Error::Invalid`], with all that does not hold.
pub fn check_message(name: &str, data: &RawValue) -> Result<(), Error> {
    let mut violations = Vec::new();
    if name.is_empty() {
        violations.push(Violation::new("/name", EMPTY, "must not be empty"));
    }
    if name.chars().count() > MAX_NAME {
        violations.push(Violation::new("/name", TOO_LONG, format!("has at most {MAX_NAME} characters")));
    }
    if name.chars().any(char::is_control) {
        violations.push(Violation::new("/name", FORBIDDEN_CHARACTER, "must not contain control characters"));
    }
    if data.get().len() > MAX_MESSAGE_BYTES {
        violations.push(Violation::new("/data", TOO_LONG, format!("has at most {MAX_MESSAGE_BYTES} bytes of JSON")));
    }
    if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
}

impl Live {
    /// Says something to everybody who is connected to a project, to one of its workspaces, or to a file of that, wherever they are
    /// connected.
    ///
    /// # Errors
    /// There is no such workspace or file, the log cannot be read, or the account has said too much.
    pub async fn publish(
        &self,
        project_id: ProjectId,
        workspace_id: Option<WorkspaceId>,
        file_id: Option<FileId>,
        message: CustomMessage,
    ) -> Result<(), Error> {
        let bytes = message.name.len() + message.data.get().len();
        if !self.hub.publish_quota().take(message.from, bytes, Instant::now()) {
            return Err(Error::later(TOO_MANY_REQUESTS, QUOTA_PAUSE));
        }
        if let Some(workspace_id) = workspace_id {
            let workspace = self.hub.log().reload::<Workspace>(workspace_id.into()).await?;
            let workspace = workspace.state.of(project_id).map_err(|_| Error::not_found("workspace"))?;
            if let Some(file_id) = file_id {
                workspace.file(file_id).map_err(|_| Error::not_found("file"))?;
            }
        }
        keeper::publish(&self.hub, RoomId { project_id, workspace_id, file_id }, message).await;
        Ok(())
    }
}
