//! Why a project's membership may say no.

use crate::refusal::{self, Code, Refusal};

crate::codes! {
    LAST_OWNER = "last-owner", Conflict,
        "the last owner of a project can neither leave nor be demoted",
        "make another member an owner first";
}

/// Why a project's membership may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipRefusal {
    /// The membership has begun already.
    #[error("the membership exists already")]
    AlreadyCreated,
    /// The membership has not begun, or ended with its project.
    #[error("there is no such project")]
    Closed,
    /// The account is a member.
    #[error("the account is already a member")]
    AlreadyMember,
    /// The account is no member.
    #[error("there is no such member")]
    NotAMember,
    /// Without this owner the project would have none.
    #[error("the last owner of a project can neither leave nor be demoted")]
    LastOwner,
}

impl Refusal for MembershipRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::AlreadyCreated => refusal::CONTENDED,
            Self::Closed | Self::NotAMember => refusal::NOT_FOUND,
            Self::AlreadyMember => refusal::ALREADY_MEMBER,
            Self::LastOwner => LAST_OWNER,
        }
    }
}
