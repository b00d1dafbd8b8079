//! `/realtime`: tickets, and messages by request. Sockets and streams are [`crate::live`]'s.

mod publish;
mod ticket;

pub use publish::*;
pub use ticket::*;
