//! `/auth`: accounts, sessions, tokens.

pub mod email;
pub mod jwks;
pub mod login;
pub mod logout;
pub mod me;
mod model;
pub mod password;
pub mod refresh;
pub mod register;
pub mod sessions;
pub mod tokens;
