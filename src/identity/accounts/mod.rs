//! Accounts: registered, changed, closed and opened, erased.

mod close;
mod erase;
mod erasure_store;
mod profile;
mod register;
mod store;
mod username;

pub(super) use erase::Manner;
pub use profile::ProfilePatch;
pub(super) use profile::{ChangeProfile, changes, is_picture};
pub use register::Registration;
pub(super) use store::Told;
pub(super) use username::derived_username;
