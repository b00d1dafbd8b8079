//! The live gateway: what happens in a project, pushed to those who may see it, without a hole and without a duplicate.
//!
//! ```text
//!   own commits            NATS live.<feed>, events.<feed>.>      Postgres (truth)
//!        │ publisher            │ other processes, relay             │ heads, holes, history
//!        ▼                      ▼                                    ▼
//!   ┌─ feed: ring of recent frames, subscribers ◄── follow: one task a feed
//!   └──► subscription: a cursor ──► outbox ──► socket
//!                                    ▲
//!   heads: one task a process ───────┘ announces heads, heals what NATS lost, re-checks members
//! ```
//!
//! An event comes by several ways, and the first copy counts. The ring drops the others, keeps for a moment what comes before its
//! predecessors, and is filled from Postgres where something stays missing.
//!
//! Nothing is pushed to a socket: a feed's task appends to the feed's ring and wakes its subscribers; each socket's own
//! task takes what lies behind its cursor, as fast as its peer reads. So order, completeness and uniqueness hold by
//! construction (a cursor moves by one, the ring has no hole, what the ring has lost comes from Postgres), a slow peer
//! costs nobody memory, and an idle one only its buffers.
//!
//! Three queues a socket: *control* (replies; first, bounded), *durable* (events, in order; bounded by the ring, then
//! 4508) and, with a later issue, *ephemeral* (latest per key, may drop); see `socket/outbox.rs`.
//!
//! [`feed`] is the side of the feeds, [`socket`] that of the sockets; between them stand the [`hub`], which has the feeds of this
//! process, and the [`subscriber`], which is what a feed knows of a socket.
//!
//! To add a client message: a variant in `socket/messages.rs`, an arm in `socket/dispatch.rs`. To add a server frame: a variant in
//! `feed/frames.rs`.

mod connection;
mod feed;
mod hub;
mod limits;
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
