//! Tests of the whole service, from outside: real processes, a real Postgres and NATS, HTTP and WebSocket.
//!
//! One binary, so that all tests share one Postgres; every test has a database of its own, a NATS of its own, and as
//! many services as it asks for. A folder a noun, as everywhere.
#![allow(
    missing_docs,
    clippy::pedantic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods
)]

mod access;
mod audit;
mod auth;
mod background;
mod cli;
mod clients;
mod comments;
mod database;
mod docs;
mod event_store;
mod faults;
mod history;
mod invitations;
mod jobs;
mod live;
mod log_tree;
mod mail;
mod members;
mod notifications;
mod openapi;
mod organizations;
mod privileges;
mod problems;
mod projections;
mod projects;
mod races;
mod redaction;
mod relay;
mod schedules;
mod state;
mod support;
mod tasks;
mod tls;
mod webhooks;
mod workspaces;
