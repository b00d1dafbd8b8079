//! Why an invitation may say no.

/// Why an invitation may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationRefusal {
    /// There is no such invitation, or no longer: it was taken back, or somebody else has accepted it.
    #[error("the invitation does not exist")]
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
