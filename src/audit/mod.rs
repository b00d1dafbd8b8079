//! Audits: replays of the log that prove something about all of it.

pub mod access;
