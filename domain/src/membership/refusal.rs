//! Why a roster may say no.

/// Why a roster may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipRefusal {
    /// The roster has begun already.
    #[error("the roster exists already")]
    AlreadyFounded,
    /// The roster has not begun, or ended with its project.
    #[error("the project does not exist")]
    Closed,
    /// The account is on the roster.
    #[error("the account is already a member")]
    AlreadyMember,
    /// The account is not on the roster.
    #[error("the account is not a member")]
    NotAMember,
    /// Without this owner the project would have none.
    #[error("the last owner of a project can neither leave nor be demoted")]
    LastOwner,
}
