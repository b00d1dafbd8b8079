//! What may be asked of an account.

use super::SessionEnd;
use crate::ids::{OrganizationId, SessionId};

/// What may be asked of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountCommand {
    /// Begin the account.
    Register {
        /// The id of the account's personal organization.
        personal_organization_id: OrganizationId,
    },
    /// Record a sign-in.
    StartSession {
        /// The new session.
        session_id: SessionId,
    },
    /// Record a rotation of a session's refresh token.
    RefreshSession {
        /// The session.
        session_id: SessionId,
        /// The generation of the token that was handed out.
        generation: u32,
    },
    /// Record the end of a session.
    EndSession {
        /// The session.
        session_id: SessionId,
        /// Why.
        reason: SessionEnd,
    },
    /// Record a failed sign-in.
    FailLogin,
}
