//! Why an account may say no.

/// Why an account may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefusal {
    /// The id is taken.
    #[error("the account exists already")]
    AlreadyRegistered,
    /// There is no such account.
    #[error("the account does not exist")]
    Absent,
    /// It was erased, for good.
    #[error("the account was erased")]
    Erased,
    /// It is closed to its owner.
    #[error("the account is deactivated")]
    Deactivated,
}
