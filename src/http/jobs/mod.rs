//! `/jobs`

pub mod list;
mod model;
pub mod read;
pub mod submit;
