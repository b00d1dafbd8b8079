//! Webhooks: signatures of messages that come and go, and what identity providers tell of their people.

pub mod event;
pub mod signature;
