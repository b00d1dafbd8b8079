//! Tickets: stand-ins for an access token in an address, where no header can be set and which logs and histories remember. Most are
//! good for one socket, and for seconds; clients that open the same address again and again ask for a reusable one.

mod issue;
mod redeem;
mod store;

pub use issue::{LIFETIME, Ticket};
