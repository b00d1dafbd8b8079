//! What identity providers tell of their people: signed messages, and what they say.

pub mod event;
pub mod signature;
