//! Why an invitation may say no.

use crate::refusal::{self, Code, Refusal};

crate::codes! {
    INVITATION_EXPIRED = "invitation-expired", Conflict,
        "the invitation has expired",
        "ask whoever sent it for another one";
    INVITATION_LAPSED = "invitation-lapsed", Conflict,
        "who sent the invitation may no longer invite",
        "ask another member for an invitation";
    INVITATION_ACCEPTED = "invitation-accepted", Conflict,
        "the invitation has been accepted already",
        "ask for another invitation if you have left since";
}

/// Why an invitation may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationRefusal {
    /// There is no such invitation, or no longer: it was taken back, or somebody else has accepted it.
    #[error("there is no such invitation")]
    Absent,
    /// It was sent before.
    #[error("the invitation was sent before")]
    AlreadySent,
    /// Its time is over.
    #[error("the invitation has expired: ask for another one")]
    Expired,
    /// Who sent it may no longer invite.
    #[error("who sent the invitation may no longer invite: ask for another one")]
    Lapsed,
    /// Who was invited has come.
    #[error("the invitation has been accepted")]
    Accepted,
}

impl Refusal for InvitationRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent => refusal::NOT_FOUND,
            Self::AlreadySent => refusal::CONTENDED,
            Self::Expired => INVITATION_EXPIRED,
            Self::Lapsed => INVITATION_LAPSED,
            Self::Accepted => INVITATION_ACCEPTED,
        }
    }
}
