//! Why an account may say no.

use crate::refusal::{self, Code, Refusal};

crate::codes! {
    ACCOUNT_ERASED = "account-erased", Unauthenticated,
        "the account no longer exists",
        "register anew";
    ACCOUNT_DEACTIVATED = "account-deactivated", Unauthenticated,
        "the account is deactivated",
        "ask whoever runs the service to open it again";
}

/// Why an account may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefusal {
    /// The id is taken.
    #[error("the account exists already")]
    AlreadyRegistered,
    /// There is no such account.
    #[error("there is no such account")]
    Absent,
    /// It was erased, for good.
    #[error("the account no longer exists")]
    Erased,
    /// It is closed to its owner.
    #[error("the account is deactivated")]
    Deactivated,
}

impl Refusal for AccountRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::AlreadyRegistered => refusal::CONTENDED,
            Self::Absent => refusal::NOT_FOUND,
            Self::Erased => ACCOUNT_ERASED,
            Self::Deactivated => ACCOUNT_DEACTIVATED,
        }
    }
}
