//! Why an organization may say no.

use crate::refusal::{self, Code, Refusal};

crate::codes! {
    LAST_ADMIN = "last-admin", Conflict,
        "the last admin of an organization can neither leave nor be demoted",
        "make another member an admin first";
    PERSONAL_ORGANIZATION = "personal-organization", Conflict,
        "a personal organization cannot be deleted: it goes with its account",
        "delete the account, or the organization's projects";
    SLUG_TAKEN = "slug-taken", Conflict,
        "another organization has this slug",
        "choose another slug, or leave it out";
    MALFORMED_SLUG = "malformed-slug", Field,
        "a slug is 2 to 64 lower-case letters, digits, and single hyphens between them",
        "choose another slug, or leave it out";
}

/// Why an organization may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationRefusal {
    /// There is no such organization, or no longer.
    #[error("there is no such organization")]
    Absent,
    /// The id is taken.
    #[error("the organization exists already")]
    AlreadyExists,
    /// The account belongs to it.
    #[error("the account is already a member")]
    AlreadyMember,
    /// The account does not belong to it.
    #[error("there is no such member")]
    NotAMember,
    /// Without this admin it would have none.
    #[error("the last admin of an organization can neither leave nor be demoted")]
    LastAdmin,
    /// It goes with its account.
    #[error("a personal organization cannot be deleted")]
    Personal,
}

impl Refusal for OrganizationRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent | Self::NotAMember => refusal::NOT_FOUND,
            Self::AlreadyExists => refusal::CONTENDED,
            Self::AlreadyMember => refusal::ALREADY_MEMBER,
            Self::LastAdmin => LAST_ADMIN,
            Self::Personal => PERSONAL_ORGANIZATION,
        }
    }
}
