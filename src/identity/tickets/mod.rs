//! Tickets: single-use, short-lived stand-ins for an access token, for a WebSocket's address, where no header can be
//! set and which logs and histories remember.

mod issue;
mod redeem;
mod store;

pub use issue::{LIFETIME, Ticket};
