//! What can have happened to an account.

use serde::{Deserialize, Serialize};

use crate::{
    event::domain_event,
    ids::{OrganizationId, SessionId, TokenId},
};

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// An old refresh token was used again: somebody has a copy.
    RefreshTokenReused,
    /// The account signed out.
    LoggedOut,
    /// The account ended it from another session.
    Revoked,
    /// The account changed its password in another session.
    PasswordChanged,
    /// The password was set anew by mail.
    PasswordReset,
    /// Somebody has proven that the account's address is theirs, from elsewhere: the session may be another's.
    EmailVerified,
    /// The account was closed to its owner by whoever runs the service, or by whoever vouches for it.
    AccountDeactivated,
    /// The account was erased.
    AccountErased,
    /// The account has as many newer ones as it may have.
    SessionLimit,
}

/// Who closes an account to its owner, and opens it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AccountCloser))]
#[serde(rename_all = "snake_case")]
pub enum Closer {
    /// Whoever runs the service; opens what anybody has closed.
    Operator,
    /// The issuer that vouches for the account; opens what it has closed itself.
    Issuer,
}

/// A part of an account's profile. What it says is personal, and not in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProfileField {
    /// The e-mail address that mail to the account goes to.
    Email,
    /// The user name, which no two accounts share.
    Username,
    /// The full name, which an account may lack.
    FullName,
    /// The address of the profile picture, which an account may lack.
    ImageUrl,
}

/// How a password came to be another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PasswordChange {
    /// By the signed-in account, which knew the old one.
    Changed,
    /// By a token that was mailed to the account's address.
    Reset,
}

/// What can have happened to an account. The account's feed is its authentication log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum AccountEvent {
    /// The account began.
    AccountRegistered {
        /// The id of its personal organization.
        personal_organization_id: OrganizationId,
    },
    /// A sign-in succeeded.
    SessionStarted {
        /// The new session.
        session_id: SessionId,
    },
    /// A refresh token was exchanged for its successor.
    SessionRefreshed {
        /// The id of the session, the same as in its `SessionStarted`.
        session_id: SessionId,
        /// The successor's generation, counted from 0 at sign-in.
        generation: u32,
    },
    /// A session ended before its time.
    SessionEnded {
        /// The id of the session that ended, the same as in its `SessionStarted`.
        session_id: SessionId,
        /// What ended the session.
        reason: SessionEnd,
    },
    /// A sign-in was tried with a wrong password.
    LoginFailed {},
    /// The profile says something else.
    ProfileChanged {
        /// What was changed; not from what, nor to what.
        fields: Vec<ProfileField>,
    },
    /// The account has another password.
    PasswordChanged {
        /// How that came about.
        change: PasswordChange,
    },
    /// Somebody asked for a mail with which to set the password anew.
    PasswordResetRequested {},
    /// The account has shown that it reads mail to its address.
    EmailVerified {},
    /// A personal access token was made.
    TokenCreated {
        /// The token's id, which is no secret.
        token_id: TokenId,
    },
    /// A personal access token was revoked.
    TokenRevoked {
        /// The id of the revoked token, the same as in its `TokenCreated`.
        token_id: TokenId,
    },
    /// The account was closed to its owner.
    AccountDeactivated {
        /// By whom; version 1 does not tell.
        by: Closer,
    },
    /// The account was opened again.
    AccountReactivated {
        /// By whom; version 1 does not tell.
        by: Closer,
    },
    /// Everything personal of the account is gone, for good.
    AccountErased {
        /// Whether it was ordered, too, that all it had written is redacted. The service carries it out.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        content_redacted: bool,
    },
}

domain_event!(AccountEvent {
    AccountRegistered => "1",
    SessionStarted => "1",
    SessionRefreshed => "1",
    SessionEnded => "1",
    LoginFailed => "1",
    ProfileChanged => "1",
    PasswordChanged => "1",
    PasswordResetRequested => "1",
    EmailVerified => "1",
    TokenCreated => "1",
    TokenRevoked => "1",
    AccountDeactivated => "2",
    AccountReactivated => "2",
    AccountErased => "1",
});
