//! What the jobs of a project print, told to those who want it as it comes. Nothing of it is kept here for long: whoever
//! reads too slowly is told of which jobs something was skipped, and reads it by `GET /jobs/{id}/logs`.
//!
//! ```text
//!   worker ── stores pieces ──► Postgres
//!      │                           ▲ reads what is new, once for all
//!      └── rings ──► NATS ──► reader ──► channel of a project ◄── views pull ── connections
//! ```
//!
//! A channel is there as long as somebody looks at it, and keeps frames of a bounded number of bytes. As with rooms, nothing
//! is pushed to a connection: its [`OutputView`] takes what lies behind what it has seen, as fast as its client reads. Who may
//! follow a project's feed may see its jobs; so rights are those of the subscription.

mod channel;
mod reader;
mod recent;

pub(in crate::live) use channel::{OutputView, Outputs};
pub(in crate::live) use reader::read_outputs;
