//! `/organizations`

pub mod create;
pub mod delete;
pub mod list;
pub mod members;
mod model;
pub mod projects;
pub mod read;
pub mod retention;
pub mod update;

pub use model::Organization;
