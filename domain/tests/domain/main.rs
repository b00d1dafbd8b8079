//! The domain's tests: what each aggregate answers to each command, and what must hold whatever is asked.
//!
//! A module a noun, in the words of the domain: given these events, when this command comes, then expect these events
//! or this refusal. [`stored_events`] pins the JSON that history is made of; [`properties`] asks at random.

// Not every helper here is a `#[test]`, and outside of those clippy does not know that this is a test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod account;
mod audit_trail;
mod comment;
mod examples;
mod file;
mod invitation;
mod job;
mod job_key;
mod job_rule;
mod membership;
mod organization;
mod project;
mod properties;
mod redaction;
mod relation;
mod schedule;
mod schemas;
mod stored_events;
mod task;
mod text;
mod webhook;
mod workspace;
