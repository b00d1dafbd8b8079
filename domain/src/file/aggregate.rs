//! The state of what is in a file, and its two functions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Content, FileEvent};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    ids::{ProjectId, WorkspaceId},
    redaction::{DIGEST, Texts, redactable},
};

/// What is in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The project it belongs to; none before anything was written.
    project_id: Option<ProjectId>,
    content: Option<Content>,
}

impl File {
    /// What is in it.
    pub fn content(&self) -> Content {
        self.content.unwrap_or(Content::EMPTY)
    }

    fn tell_texts(&self, texts: &mut Texts) {
        if let Some(content) = self.content {
            texts.add("content", hex::encode(content.sha256.0));
        }
    }
}

/// What may be asked of what is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileCommand {
    /// Write all of it anew.
    Write {
        /// The project it belongs to.
        project_id: ProjectId,
        /// The workspace it lies in.
        workspace_id: WorkspaceId,
        /// What is in it from now on.
        content: Content,
    },
}

/// Content is never refused: whether the file is there, its workspace says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileRefusal {}

impl crate::refusal::Refusal for FileRefusal {
    fn code(&self) -> &'static crate::refusal::Code {
        match *self {}
    }
}

impl Decide for File {
    const TYPE: &'static str = "file";
    const SHAPE: u32 = 1;
    type Command = FileCommand;
    type Event = FileEvent;
    type Refusal = FileRefusal;

    fn decide(&self, command: FileCommand) -> Result<Vec<FileEvent>, FileRefusal> {
        let FileCommand::Write { project_id, workspace_id, content } = command;
        if self.content() == content {
            return Ok(vec![]);
        }
        Ok(vec![FileEvent::FileContentWritten { project_id, workspace_id, content }])
    }

    fn evolve(&mut self, event: &FileEvent) {
        match event {
            FileEvent::FileContentWritten { project_id, content, .. } => {
                (self.project_id, self.content) = (Some(*project_id), Some(*content));
            }
            FileEvent::PayloadRedacted(redacted) => {
                if let Some(content) = self.content.as_mut().filter(|_| redacted.has("content")) {
                    content.sha256 = DIGEST;
                }
            }
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        self.project_id.map_or(id, Into::into)
    }
}

cqrs_aggregate!(File);
redactable!(File, FileEvent);
