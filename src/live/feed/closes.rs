//! What ends with an event: the rooms of a workspace that is deleted, or of a file.

use serde::Deserialize;
use workroom_domain::ids::{FileId, WorkspaceId};
use workroom_projections::history::PublishedEvent;

use crate::live::feed::frames::Topic;

/// The event that deletes a workspace, with all files in it.
const WORKSPACE_DELETED: &str = "WorkspaceDeleted";
/// The event of a workspace that deletes a file.
const FILE_DELETED: &str = "FileDeleted";

/// What ends with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Closes {
    /// A workspace, with its files.
    Workspace(WorkspaceId),
    /// A file.
    File(FileId),
}

#[derive(Deserialize)]
struct DeletedFile {
    file_id: FileId,
}

impl Closes {
    /// What ends with this event, if anything.
    pub(in crate::live) fn of(event: &PublishedEvent) -> Option<Self> {
        match event.event_type.as_str() {
            WORKSPACE_DELETED => Some(Self::Workspace(WorkspaceId(event.aggregate_id.parse().ok()?))),
            FILE_DELETED => {
                let deleted: DeletedFile = serde_json::from_str(event.data.get()).ok()?;
                Some(Self::File(deleted.file_id))
            }
            _ => None,
        }
    }

    /// Whether what was subscribed to ends with it.
    pub(in crate::live) fn ends(self, topic: Topic) -> bool {
        match self {
            Self::Workspace(workspace_id) => topic.workspace_id == Some(workspace_id),
            Self::File(file_id) => topic.file_id == Some(file_id),
        }
    }

    /// The reason that the client is given.
    pub(in crate::live) fn reason(self) -> &'static str {
        match self {
            Self::Workspace(_) => "workspace_deleted",
            Self::File(_) => "file_deleted",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;
    use workroom_domain::ids::ProjectId;

    use super::*;
    use crate::live::feed::FeedId;

    #[test]
    fn a_workspace_ends_with_its_files_and_a_file_alone() {
        let (workspace, file) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let closes = |event_type: &str, data: serde_json::Value| {
            let event = json!({
                "position": 9, "seq": 3, "event_id": Uuid::nil(), "feed_id": Uuid::nil(), "event_type": event_type,
                "event_version": "1", "aggregate_type": "workspace", "aggregate_id": workspace, "sequence": 2,
                "occurred_at": "2026-11-20T10:00:00Z", "recorded_at": "2026-11-20T10:00:00Z", "actor": "system:worker",
                "correlation_id": null, "data": data,
            });
            Closes::of(&serde_json::from_str(&event.to_string()).unwrap())
        };
        let deleted_file = closes("FileDeleted", json!({"type": "FileDeleted", "file_id": file, "path": "a"})).unwrap();
        let deleted_workspace = closes("WorkspaceDeleted", json!({"type": "WorkspaceDeleted"})).unwrap();
        assert_eq!(closes("FileMoved", json!({"type": "FileMoved", "file_id": file})), None);
        let feed = FeedId::Project(ProjectId(Uuid::nil()));
        let topic = |workspace_id: Option<Uuid>, file_id: Option<Uuid>| Topic {
            feed,
            workspace_id: workspace_id.map(WorkspaceId),
            file_id: file_id.map(FileId),
        };
        for (topic, with_file, with_workspace) in [
            (topic(None, None), false, false),
            (topic(Some(workspace), None), false, true),
            (topic(Some(workspace), Some(file)), true, true),
            (topic(Some(workspace), Some(workspace)), false, true),
            (topic(Some(file), Some(workspace)), false, false),
        ] {
            let ends = (deleted_file.ends(topic), deleted_workspace.ends(topic));
            assert_eq!(ends, (with_file, with_workspace), "{topic:?}");
        }
    }
}
