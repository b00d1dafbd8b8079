//! `/jobs/pause`, `/jobs/resume` and `/jobs/rules`

pub mod list;
mod model;
pub mod pause;
mod request;
pub mod resume;
pub mod set;
