//! The live gateway: what happens in a project, pushed to those who may see it, without a hole and without a duplicate.
//!
//! ```text
//!   NATS events.<feed>.>      Postgres (truth)
//!        │ fast path               │ heads, holes, history
//!        ▼                         ▼
//!   follow: one task a feed ──► feed: ring of recent frames, seats ──► subscription: a cursor ──► outbox ──► socket
//!                                    ▲
//!   heads: one task a process ───────┘ announces heads, heals what NATS lost, re-checks members
//! ```
//!
//! Nothing is pushed to a socket: a feed's task appends to the feed's [`ring`] and wakes its seats; each socket's own
//! task takes what lies behind its cursor, as fast as its peer reads. So order, completeness and uniqueness hold by
//! construction (a cursor moves by one, the ring has no hole, what the ring has lost comes from Postgres), a slow peer
//! costs nobody memory, and an idle one only its buffers.
//!
//! Three lanes a socket: *control* (replies; first, bounded), *durable* (events, in order; bounded by the ring, then
//! 4508) and, with a later issue, *ephemeral* (latest per key, may drop); see [`outbox`].
//!
//! To add a client message: a variant in [`messages`], an arm in [`dispatch`]. To add a server frame: a variant in
//! [`frames`].

mod bucket;
mod close;
mod dispatch;
mod feed;
mod follow;
mod frames;
mod heads;
mod hub;
mod limits;
mod membership;
mod messages;
mod origin;
mod outbox;
mod pages;
mod places;
mod ring;
mod seat;
mod socket;
mod subscribe;
mod subscription;
mod timers;
mod transport;
pub(crate) mod upgrade;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use hub::Hub;
pub use limits::{HubConfig, Limits};
pub use upgrade::{RealtimeQuery, realtime};

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
