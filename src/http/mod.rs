//! The REST API: one folder a noun, one file a verb, all routes on one page ([`router`]).
//!
//! A handler extracts ([`extract`]), calls the application once, and replies ([`reply`]). Every error, the framework's
//! own included, leaves as `application/problem+json` ([`problem`]).

pub mod auth;
mod background;
mod beside;
pub mod client_address;
pub mod comments;
pub mod docs;
mod drain;
mod envelope;
pub mod extract;
pub mod files;
pub mod health;
pub mod history;
pub mod invitations;
pub mod jobs;
mod live_page;
pub mod log;
pub mod members;
mod openapi;
pub mod organizations;
mod page;
mod places;
pub mod problem;
pub mod profile;
pub mod project_state;
pub mod project_webhooks;
pub mod projects;
mod rate_limit;
pub mod realtime;
pub mod reply;
mod request;
pub mod router;
pub mod schedules;
pub mod server;
mod state;
pub mod tasks;
pub mod webhooks;
pub mod workspaces;

pub use state::{Need, Probes, Readiness, Report, SandboxGate, Shared, State};
