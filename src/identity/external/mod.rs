//! Other issuers whose bearer tokens are accepted. What a token must be is decided by
//! [`workroom_credentials::external`]; here stand the configuration, the fetched [`keys`], and what is remembered.

mod config;
mod issuers;
mod keys;

pub use config::ExternalIssuerConfig;
pub use issuers::{ExternalIssuers, ExternalRejected};

#[cfg(test)]
mod tests;
