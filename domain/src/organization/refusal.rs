//! Why an organization may say no.

/// Why an organization may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationRefusal {
    /// There is no such organization, or no longer.
    #[error("the organization does not exist")]
    Absent,
    /// The id is taken.
    #[error("the organization exists already")]
    AlreadyExists,
    /// The account belongs to it.
    #[error("the account is already a member")]
    AlreadyMember,
    /// The account does not belong to it.
    #[error("the account is not a member")]
    NotAMember,
    /// Without this admin it would have none.
    #[error("the last admin of an organization can neither leave nor be demoted")]
    LastAdmin,
    /// It goes with its account.
    #[error("a personal organization cannot be deleted")]
    Personal,
}
