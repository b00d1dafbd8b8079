//! Why a socket ends, and the code that tells its peer.

/// Why the gateway ends a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Close {
    /// A token or ticket that does not hold, or somebody else's.
    BadCredentials,
    /// The session or token was ended before its time, or the account is gone.
    SessionEnded,
    /// The last subscription was revoked.
    AccessRevoked,
    /// No sign-in in time.
    NoSignIn,
    /// More messages than allowed.
    TooManyMessages,
    /// More sockets of one account than allowed.
    TooManySockets,
    /// The token expired and no new one came.
    TokenExpired,
    /// The peer reads slower than events come; it may resume.
    TooSlow,
    /// The process ends.
    Restarting,
    /// The peer did not answer pings.
    Silent,
    /// A message over the limit.
    TooBig,
    /// Bytes that are no WebSocket messages.
    Malformed,
    /// The machine broke.
    Internal,
}

impl Close {
    /// The code of the close frame.
    pub(in crate::live) fn code(self) -> u16 {
        match self {
            Self::BadCredentials | Self::SessionEnded => 4401,
            Self::AccessRevoked => 4403,
            Self::NoSignIn => 4408,
            Self::TooManyMessages | Self::TooManySockets => 4429,
            Self::TokenExpired => 4501,
            Self::TooSlow => 4508,
            Self::Restarting => 1012,
            Self::Silent => 1001,
            Self::TooBig => 1009,
            Self::Malformed => 1002,
            Self::Internal => 1011,
        }
    }

    /// The same in words.
    pub(in crate::live) fn reason(self) -> &'static str {
        match self {
            Self::BadCredentials => "bad credentials",
            Self::SessionEnded => "the session has ended",
            Self::AccessRevoked => "access revoked",
            Self::NoSignIn => "no sign-in in time",
            Self::TooManyMessages => "too many messages",
            Self::TooManySockets => "too many sockets",
            Self::TokenExpired => "token expired",
            Self::TooSlow => "too slow; resume from the last seq",
            Self::Restarting => "restarting",
            Self::Silent => "no answer to pings",
            Self::TooBig => "message too big",
            Self::Malformed => "malformed message",
            Self::Internal => "internal error",
        }
    }
}
