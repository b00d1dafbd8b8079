//! Audits: what proves something about all of the log, or about a part of it that was handed over as a file.

pub mod access;
pub mod export;
pub mod verify;
