//! Addresses of accounts: what one is, and the proof of one.

mod mail;
pub(super) mod store;
mod verify;

pub(super) use mail::new_mail;
pub use workroom_credentials::email::{EmailAddress, InvalidEmail};
