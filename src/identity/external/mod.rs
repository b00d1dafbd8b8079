//! Other issuers: their tokens, and the accounts that they vouch for.
//!
//! What a token must be is decided by [`workroom_credentials::external`]. Here stand the configuration, the fetched keys, what is
//! remembered of checked tokens, and the accounts: made when somebody first comes with a token or a
//! [webhook](super::webhook) tells of them, renewed as the webhook says. An account is found by issuer and subject, never by its
//! address.

mod address;
mod authenticate;
mod config;
mod issuers;
mod keys;
mod profile;
mod provision;
mod renew;
pub(super) mod store;

pub use config::ExternalIssuerConfig;
pub use issuers::{ExternalIssuers, ExternalRejected};

use crate::application::Error;

/// How often what others change meanwhile is looked at anew.
pub(super) const ROUNDS: u32 = 8;

fn overtaken() -> Error {
    Error::Overtaken
}

#[cfg(test)]
mod tests;
