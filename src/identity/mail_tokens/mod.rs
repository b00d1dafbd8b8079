//! Tokens that are mailed, of accounts: for the proof of an address, and for a new password.

mod store;

pub use store::issue;
pub(super) use store::{end_all, peek, redeem};
pub use workroom_credentials::mail_token::Purpose;

use super::codes::MAIL_TOKEN_INVALID;
use crate::application::Error;

/// One refusal for all tokens that are not, or no longer, good.
pub(super) fn not_good() -> Error {
    Error::invalid("/token", MAIL_TOKEN_INVALID, "is not, or no longer, valid")
}
