//! Passwords of accounts: confirmed, changed, forgotten and set anew.

mod change;
mod confirm;
mod forgot;
pub(super) mod imported;
mod reset;
mod set;
pub(super) mod store;

pub use change::PasswordToChange;
pub use set::EndedCredentials;

use super::{codes::SIGN_INS_BUSY, password::PasswordError};
use crate::application::Error;

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy { retry_after } => Self::later(SIGN_INS_BUSY, retry_after),
            PasswordError::UnusableHash | PasswordError::Failed => Self::failure(error),
        }
    }
}
