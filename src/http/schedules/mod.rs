//! `/schedules`

pub mod create;
pub mod delete;
pub mod list;
mod model;
pub mod read;
mod request;
mod shortest;
pub mod update;
