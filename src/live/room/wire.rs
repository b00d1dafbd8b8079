//! What processes tell each other of a room. Sealed, over core NATS: what is lost is asked for again, or outdated soon.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Number, value::RawValue};
use uuid::Uuid;
use workroom_domain::ids::{AccountId, FileId, ProjectId, WorkspaceId};

use super::RoomId;

/// Where processes tell each other of a project's rooms.
pub(in crate::live) fn rooms_subject(project_id: Uuid) -> String {
    format!("live.{project_id}.rooms")
}

/// A message from one process to the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Telling {
    /// Who tells: a process, for as long as it keeps the room.
    pub(super) gateway: Uuid,
    /// Of which of the project's rooms.
    #[serde(rename = "workspace_id")]
    pub(super) within: Within,
    pub(super) news: News,
}

/// Which of a project's rooms: null, the id of a workspace, or a pair of ids. A process of a version that knows no rooms of files cannot
/// read a pair: it passes over what it is told of them, and does not take it for news of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Within {
    Project,
    Workspace(WorkspaceId),
    File(WorkspaceId, FileId),
}

impl Within {
    /// Which of its project's rooms it is.
    pub(super) fn of(room: RoomId) -> Self {
        match (room.workspace_id, room.file_id) {
            (Some(workspace_id), Some(file_id)) => Self::File(workspace_id, file_id),
            (Some(workspace_id), None) => Self::Workspace(workspace_id),
            (None, _) => Self::Project,
        }
    }

    /// The room of that project.
    pub(super) fn room(self, project_id: ProjectId) -> RoomId {
        let (workspace_id, file_id) = match self {
            Self::Project => (None, None),
            Self::Workspace(workspace_id) => (Some(workspace_id), None),
            Self::File(workspace_id, file_id) => (Some(workspace_id), Some(file_id)),
        };
        RoomId { project_id, workspace_id, file_id }
    }
}

/// What is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum News {
    /// The people of a process have changed, from one version to another.
    People { from: u64, version: u64, people: Vec<Person> },
    /// All people of a process, in several parts where they are many.
    Everybody { version: u64, part: u32, is_last: bool, people: Vec<Person> },
    /// The version of a process' people that others should have, and how often each of its cursors has moved.
    Beat { version: u64, cursors: Vec<(Uuid, u64)> },
    /// Who has come, or has missed something, asks for everybody: of one process, or of all.
    Ask { of: Option<Uuid> },
    /// The process leaves the room. `held`: its people may be back in a moment, elsewhere.
    Gone { held: bool },
    /// Cursors that have moved.
    Cursors { cursors: Vec<MovedCursor> },
    /// A custom message.
    Message(CustomMessage),
}

/// An account that is connected to a process. Without connections, it is no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) account_id: AccountId,
    pub(super) connections: usize,
    /// Since when, in milliseconds of Unix time.
    pub(super) since: i64,
    /// What they show the others, as JSON, and since when.
    pub(super) state: Option<Arc<str>>,
    pub(super) state_at: i64,
}

/// A cursor, and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MovedCursor {
    pub(super) account_id: AccountId,
    pub(super) connection_id: Uuid,
    /// How often it has moved.
    pub(super) moves: u64,
    pub(super) cursor: Cursor,
}

/// Where somebody points: a place on a page, or in a file. Without either, the cursor is gone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::live) struct Cursor {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) file_id: Option<FileId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) x: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) y: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) selection: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) color: Option<String>,
}

impl Cursor {
    /// Whether it points anywhere.
    pub(super) fn is_shown(&self) -> bool {
        self.x.is_some() || self.y.is_some() || self.line.is_some() || self.column.is_some() || self.selection.is_some()
    }
}

/// What somebody says to everybody in a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CustomMessage {
    /// What kind of message it is, for those who get it.
    pub name: String,
    /// Who says it.
    pub from: AccountId,
    /// The connection that it came by, which does not get it back; none, when it came by a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<Uuid>,
    /// What is said: any JSON.
    pub data: Box<RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_named_as_older_versions_know_it_or_so_that_they_pass_over_it() {
        let (workspace, file) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for (within, told) in [
            (Within::Project, serde_json::json!(null)),
            (Within::Workspace(WorkspaceId(workspace)), serde_json::json!(workspace)),
            (Within::File(WorkspaceId(workspace), FileId(file)), serde_json::json!([workspace, file])),
        ] {
            assert_eq!(serde_json::to_value(within).unwrap(), told);
            assert_eq!(serde_json::from_value::<Within>(told.clone()).unwrap(), within);
            assert_eq!(serde_json::from_value::<Option<WorkspaceId>>(told.clone()).is_err(), told.is_array());
            assert_eq!(Within::of(within.room(ProjectId(Uuid::nil()))), within);
        }
    }

    #[test]
    fn what_is_told_is_heard_as_it_was_told() {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
        let cursor = Cursor { selection: Some(raw(r#"{"to": 1.50}"#)), x: Number::from_f64(0.5), ..Cursor::default() };
        let (account_id, connection_id) = (AccountId(Uuid::from_u128(1)), Uuid::from_u128(2));
        let person = Person { account_id, connections: 2, since: 7, state: Some(r#"{"a": 1}"#.into()), state_at: 8 };
        let everything = [
            News::People { from: 1, version: 2, people: vec![person.clone()] },
            News::Everybody { version: 2, part: 0, is_last: true, people: vec![person] },
            News::Beat { version: 3, cursors: vec![(connection_id, 4)] },
            News::Ask { of: None },
            News::Gone { held: true },
            News::Cursors { cursors: vec![MovedCursor { account_id, connection_id, moves: 4, cursor }] },
            News::Message(CustomMessage {
                name: "a".to_owned(),
                from: account_id,
                connection_id: Some(connection_id),
                data: raw("[1.50, null]"),
            }),
        ];
        for news in everything {
            let within = Within::File(WorkspaceId(Uuid::from_u128(4)), FileId(Uuid::from_u128(5)));
            let telling = Telling { gateway: Uuid::from_u128(3), within, news };
            let told = serde_json::to_string(&telling).unwrap();
            let heard: Telling = serde_json::from_str(&told).unwrap();
            assert_eq!(serde_json::to_string(&heard).unwrap(), told);
        }
    }
}
