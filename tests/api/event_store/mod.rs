//! The event log, as its callers and as other readers of its table see it.

mod appending;
mod history;
pub mod log;
mod lost_statement;
mod receipts;
mod snapshots;
mod stock;
mod writers;
