//! What presenting a refresh token does.

use time::{Duration, OffsetDateTime};

/// For how long after a rotation the parent token is still given the same successor (inclusive).
pub const RETRY_WINDOW: Duration = Duration::seconds(10);

/// What the decision needs of a session's row, read under its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRow {
    /// The generation whose token is in use; 0 from login.
    pub generation: u32,
    /// When that generation came to be (login, or the last rotation).
    pub rotated_at: OffsetDateTime,
    /// When the session was ended, if it was.
    pub ended_at: Option<OffsetDateTime>,
    /// From this moment on the session is over by itself.
    pub expires_at: OffsetDateTime,
}

/// What becomes of a presented token whose MAC was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Store this generation with `rotated_at = now`, and reply with its token.
    Successor(u32),
    /// A retry: reply with this generation's token again, store nothing.
    SameSuccessor(u32),
    /// The token was used before, and too long ago: end the session and record it.
    Reuse,
    /// The session was ended.
    Ended,
    /// The session is over.
    Expired,
}

/// Decides. An ended session says so first, even to an old token: there is nothing left to end.
///
/// A generation the row has not reached yet counts as re-use: its MAC is ours, so the row was set back (a restored
/// backup), and nobody can tell whose copy is the honest one.
pub fn rotate(session: &SessionRow, presented_generation: u32, now: OffsetDateTime) -> Rotation {
    if session.ended_at.is_some() {
        return Rotation::Ended;
    }
    if now >= session.expires_at {
        return Rotation::Expired;
    }
    if presented_generation == session.generation {
        return session.generation.checked_add(1).map_or(Rotation::Expired, Rotation::Successor);
    }
    let is_parent = presented_generation.checked_add(1) == Some(session.generation);
    // A negative age is another instance's clock running ahead of ours.
    if is_parent && now - session.rotated_at <= RETRY_WINDOW {
        return Rotation::SameSuccessor(session.generation);
    }
    Rotation::Reuse
}
