//! `/auth`: accounts and sessions.

pub mod jwks;
pub mod login;
pub mod me;
mod model;
pub mod refresh;
pub mod register;
