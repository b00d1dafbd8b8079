//! What can have happened to an account.

use serde::{Deserialize, Serialize};

use crate::{
    event::domain_event,
    ids::{OrganizationId, SessionId},
};

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// An old refresh token was used again: somebody has a copy.
    RefreshTokenReused,
}

/// What can have happened to an account. The account's feed is its authentication log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        /// The session.
        session_id: SessionId,
        /// The successor's generation, counted from 0 at sign-in.
        generation: u32,
    },
    /// A session ended before its time.
    SessionEnded {
        /// The session.
        session_id: SessionId,
        /// Why.
        reason: SessionEnd,
    },
    /// A sign-in was tried with a wrong password.
    LoginFailed {},
}

domain_event!(AccountEvent {
    AccountRegistered => "1",
    SessionStarted => "1",
    SessionRefreshed => "1",
    SessionEnded => "1",
    LoginFailed => "1",
});
