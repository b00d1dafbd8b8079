//! The live gateway: what happens in a project, pushed to those who may see it, without a hole and without a duplicate.
//!
//! ```text
//!   own commits            NATS live.<feed>, events.<feed>.>      Postgres (truth)
//!        │ publisher            │ other processes, relay             │ heads, holes, history
//!        ▼                      ▼                                    ▼
//!   ┌─ feed: ring of recent frames, subscribers ◄── follow: one task a feed ──► room: who is here, cursors, messages
//!   └──► subscription: a cursor ──► lanes ──► transport: WebSocket, server-sent events  ◄── visit: a view ──┘
//!                                    ▲
//!   heads: one task a process ───────┘ heals what NATS lost
//! ```
//!
//! An event comes by several ways, and the first copy counts. The ring drops the others, keeps for a moment what comes before its
//! predecessors, and is filled from Postgres where something stays missing.
//!
//! Nothing is pushed to a client: a feed's task appends to the feed's ring and wakes its subscribers; each connection's own
//! task takes what lies behind its cursor, as fast as its peer reads. So order, completeness and uniqueness hold by
//! construction (a cursor moves by one, the ring has no hole, what the ring has lost comes from Postgres), a slow peer
//! costs nobody memory, and an idle one only its buffers. Rooms work in the same way, but keep only the latest of each thing.
//!
//! Three lanes a connection: *control* (replies; first, bounded), *durable* (events, in order; bounded by the ring, then
//! 4508) and *ephemeral* (what rooms tell; may be overtaken); see `connection/lanes.rs`.
//!
//! What jobs print goes the way of rooms, without being an event: see `output/mod.rs`.
//!
//! [`feed`] is the side of the feeds, [`connection`] that of the clients, [`transport`] how frames get to them; between feeds and
//! clients stand the [`hub`], which has the feeds of this process, and the [`subscriber`], which is what a feed knows of a client.
//!
//! To add a client message: a struct in `connection/messages.rs`, an arm in `connection/dispatch.rs`. To add a server frame: a
//! variant in `feed/frames.rs`. Both are described in `src/http/docs/asyncapi.json`.

mod connection;
mod feed;
mod history_permits;
mod hub;
mod limits;
mod output;
mod publish_quota;
pub(crate) mod publisher;
mod room;
mod signal;
mod socket_quota;
mod subscriber;
pub(crate) mod transport;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use hub::Hub;
pub use limits::{HubConfig, Limits, RoomLimits};
pub use publisher::Outgoing;
pub use room::{CustomMessage, check_message};
pub use transport::{
    sse::{stream_events, stream_project_events},
    websocket::upgrade::{RealtimeQuery, realtime},
};

use crate::{application::App, identity::Identity};

/// What the gateway's handlers need. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    /// The feeds of this process.
    pub hub: Hub,
    /// For what an account may see.
    pub app: App,
    /// For who an account is.
    pub identity: Identity,
    /// Limits of one socket.
    pub limits: Arc<Limits>,
    /// Cancelled when the process is to end: sockets close with 1012. [`Hub::close`] cancels the hub's own.
    pub shutdown: CancellationToken,
}
