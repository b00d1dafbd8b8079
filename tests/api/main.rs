//! Tests of the whole service, from outside: real processes, a real Postgres and NATS, HTTP and WebSocket.
//!
//! One binary, so that all tests share one Postgres; every test has a database of its own, a NATS of its own, and as
//! many services as it asks for. A folder a noun, as everywhere.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, clippy::missing_panics_doc, missing_docs)]

mod audit;
mod auth;
mod event_store;
mod history;
mod jobs;
mod members;
mod openapi;
mod problems;
mod projects;
mod support;
