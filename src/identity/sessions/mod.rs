//! Sessions: begun by a sign-in, renewed by refresh tokens, listed, ended.

mod end;
mod limit;
mod list;
mod refresh;
mod sign_in;
pub(super) mod store;

pub(super) use end::EndSessions;
pub use list::SessionSummary;
pub use sign_in::{SignIn, SignedIn};
