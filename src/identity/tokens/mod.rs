//! Personal access tokens: for programs that act for somebody who is not there to sign in.

mod authenticate;
mod create;
mod list;
mod revoke;
pub(super) mod store;

pub use create::NewToken;
pub use list::TokenSummary;
