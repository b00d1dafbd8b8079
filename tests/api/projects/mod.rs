//! `/projects`: creation, reading, listing, changing and deleting them.

mod create;
mod delete;
mod idempotency;
mod list;
mod read;
mod update;
