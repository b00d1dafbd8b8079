//! What may be asked of an account.

use super::{Closer, PasswordChange, ProfileField, SessionEnd};
use crate::ids::{OrganizationId, SessionId, TokenId};

/// What may be asked of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        /// The session whose refresh token was exchanged.
        session_id: SessionId,
        /// The generation of the token that was handed out.
        generation: u32,
    },
    /// Record the end of a session.
    EndSession {
        /// The session that ends.
        session_id: SessionId,
        /// What ends the session. The event `SessionEnded` carries it.
        reason: SessionEnd,
    },
    /// Record a failed sign-in.
    FailLogin,
    /// Record that the profile says something else.
    ChangeProfile {
        /// What was changed; nothing is no event.
        fields: Vec<ProfileField>,
    },
    /// Record another password.
    ChangePassword {
        /// How it came about.
        change: PasswordChange,
    },
    /// Record that a mail for a new password was asked for.
    RequestPasswordReset,
    /// Record that the address is the account's.
    VerifyEmail,
    /// Record a new personal access token.
    CreateToken {
        /// The id of the new token. It is not secret, and the event carries it.
        token_id: TokenId,
    },
    /// Record the end of a personal access token.
    RevokeToken {
        /// The id of the token that stops working.
        token_id: TokenId,
    },
    /// Close the account to its owner.
    Deactivate {
        /// Who closes the account. The operator and the issuer can each close it, independently of each other.
        by: Closer,
    },
    /// Open it again.
    Reactivate {
        /// By whom. The operator opens what anybody has closed, an issuer what it has closed itself.
        by: Closer,
    },
    /// Erase what is personal of the account.
    Erase {
        /// Whether all it had written is to be redacted, too.
        content_redacted: bool,
    },
}

impl AccountCommand {
    /// Whether it can happen to an account that is closed to its owner.
    pub(super) fn needs_nobody(&self) -> bool {
        matches!(
            self,
            Self::Deactivate { .. }
                | Self::Reactivate { .. }
                | Self::Erase { .. }
                | Self::EndSession { .. }
                | Self::ChangeProfile { .. }
                | Self::RevokeToken { .. }
                | Self::FailLogin
        )
    }
}
