//! What identity providers tell of their people: who may tell, and what is done about it.
//!
//! How messages are signed, and what they say, stands in [`workroom_credentials::webhook`].

mod apply;
mod config;
mod receive;
mod store;

pub use config::{IdentityWebhook, IdentityWebhookConfig};
