//! Rooms: who is here, where they point, and what they say to each other. Nothing of it is stored.
//!
//! ```text
//!   connection ── join, state, cursor, publish ──► room ◄── slices, cursors, messages ── NATS live.<project>.rooms ── other processes
//!        ▲                                          │  │
//!        └──────────── its view pulls ──────────────┘  └── keeper: sends what is new, beats, lets go of who is gone
//! ```
//!
//! Each process owns the people who are connected to it, and tells the others of them: on change, and every few seconds which
//! version they should have. Who has missed something asks. A process that is not heard of for a while is gone, and its people with
//! it. (The way of Phoenix Presence: nothing is stored, nobody is asked, and everybody comes to the same picture.)
//!
//! A room keeps what changed, by version, and of each thing only the latest. Nothing is pushed to a connection: its [`View`] takes
//! what lies behind the version that it has seen, as fast as its client reads. So whoever reads slowly misses what was
//! overtaken, and costs nobody memory.

mod cursors;
mod keeper;
mod messages;
mod people;
mod request;
mod rooms;
mod state;
mod view;
mod visit;
mod wire;

use serde::Serialize;
use workroom_domain::ids::{FileId, ProjectId, WorkspaceId};

pub(in crate::live) use keeper::keep;
pub(in crate::live) use messages::{MAX_MESSAGE_BYTES, MAX_NAME};
use people::Departure;
pub use request::check_message;
use rooms::Room;
pub(in crate::live) use rooms::Rooms;
pub use state::RoomLimits;
use view::View;
pub(in crate::live) use visit::Visit;
pub use wire::CustomMessage;
pub(in crate::live) use wire::{Cursor, rooms_subject};

/// Where people meet: a project, one of its workspaces, or a file of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub(in crate::live) struct RoomId {
    pub(in crate::live) project_id: ProjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) workspace_id: Option<WorkspaceId>,
    /// A file of that workspace; never without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::live) file_id: Option<FileId>,
}
