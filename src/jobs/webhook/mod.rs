//! Sending events to addresses that people give: what is sent, how it is signed, and where it may go.
//!
//! - [`event`]: an event as a `CloudEvent`
//! - [`network`], [`destinations`]: which addresses may be reached
//! - [`address`]: what people may give as an address
//! - [`lookup`]: what addresses a name stands for
//! - [`client`]: sends, and follows redirects within bounds
//! - [`reply`]: what an answer means
//!
//! The service stands where others cannot reach: beside its database, in a private network, next to a cloud's metadata.
//! So nothing is ever sent to an address that is not public, unless a setting names its network. That is checked where
//! it counts: names are resolved by [`client`]'s own resolver, which gives the connection nothing but addresses that
//! may be reached; an address in a URL is checked before each request, also behind a redirect. Nothing is resolved
//! twice, so an answer that changes in between changes nothing.

pub mod address;
pub mod client;
pub mod destinations;
pub mod event;
pub mod lookup;
pub mod network;
pub mod reply;

pub use address::parse_address;
pub use client::{Client, Message, NotSent};
pub use destinations::Destinations;
pub use network::Network;
pub use reply::{Answer, Verdict};
