//! `/auth`: registration, sign-in, sessions and the tokens that prove them.

mod access_token;
mod erasure;
pub mod external;
mod keys;
mod login;
pub mod password;
mod profile;
mod proof;
mod refresh;
mod register;
mod sessions;
mod throttle;
mod tokens;
mod told;
pub mod webhook;
