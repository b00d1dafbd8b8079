//! Who calls, and by what right.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::ids::{AccountId, SessionId};

use crate::application::Error;
use crate::identity::codes::SCOPE_MISSING;

/// What a credential opens. Each opens what those before it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Reading whatever the account may read, and nothing else.
    Read,
    /// Reading and changing, but for the account itself.
    Write,
    /// All that the account may do.
    Full,
}

impl Scope {
    /// The scope's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Full => "full",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "full" => Ok(Self::Full),
            other => Err(Error::failure(format!("unknown scope {other}"))),
        }
    }
}

/// What somebody proved with who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An access token of a session.
    Session,
    /// A personal access token.
    PersonalToken,
    /// A token of another issuer.
    External,
}

impl CredentialKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::PersonalToken => "personal_token",
            Self::External => "external",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "session" => Ok(Self::Session),
            "personal_token" => Ok(Self::PersonalToken),
            "external" => Ok(Self::External),
            other => Err(Error::failure(format!("unknown kind of credential {other}"))),
        }
    }
}

/// Somebody who has proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account that the credential stands for.
    pub account_id: AccountId,
    /// What was proved with.
    pub kind: CredentialKind,
    /// The session or personal token; for tokens of another issuer the account. Its end ends the proof.
    pub credential_id: Uuid,
    /// What else the proof rests on, and ends with: the key that signed an access token; for credentials that outlast a
    /// closing of the account, the time since the last one.
    pub rests_on: Uuid,
    /// What the proof opens.
    pub scope: Scope,
    /// Until when the proof holds.
    pub expires_at: OffsetDateTime,
}

impl Caller {
    /// The session behind the proof, if it is one of ours.
    pub fn session_id(&self) -> Option<SessionId> {
        (self.kind == CredentialKind::Session).then_some(SessionId(self.credential_id))
    }

    /// Requires a scope.
    ///
    /// # Errors
    /// `Kind::Forbidden` for a credential that opens less.
    pub fn require(&self, scope: Scope) -> Result<(), Error> {
        if self.scope >= scope { Ok(()) } else { Err(SCOPE_MISSING.into()) }
    }
}
