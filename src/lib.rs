//! Workroom: the backend of a real-time collaborative workspace. `docs/architecture.md` draws the picture that these
//! modules are named after.

pub mod application;
pub mod audit;
pub mod background;
pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
pub mod event_store;
pub mod http;
pub mod identity;
pub mod jobs;
pub mod live;
pub mod log_tree;
mod logging;
pub mod messaging;
pub mod network;
pub mod notify;
pub mod rate_limit;
mod readiness;
pub mod relay;
mod secrets;
pub mod startup;
mod tls;
