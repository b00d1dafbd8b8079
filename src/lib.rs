//! Workroom: the backend of a real-time collaborative workspace. See `docs/architecture.md`.

pub mod application;
pub mod event_store;
pub mod identity;
