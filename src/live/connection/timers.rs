//! When a socket must act without being asked, in one timer.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::live::limits::Limits;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum Due {
    /// Nobody has signed in.
    NoSignIn,
    /// Ping the peer.
    Ping,
    /// The peer has not answered the last ping: it may be asleep.
    Absent,
    /// The peer has been silent.
    Silent,
    /// The token has expired: say so.
    Expired,
    /// And no new one came.
    GraceOver,
    /// Look whether the peer is still stalled.
    Look,
    /// Go on where something was put off: reading, or taking what has come.
    GoOn,
    /// The process ends.
    Restart,
}

/// The deadlines of one socket.
pub(in crate::live) struct Timers {
    hello_by: Option<Instant>,
    ping_at: Instant,
    silent_at: Option<Instant>,
    absent_at: Option<Instant>,
    expires_at: Option<Instant>,
    ends_at: Option<Instant>,
    look_at: Option<Instant>,
    go_on_at: Option<Instant>,
    restart_at: Option<Instant>,
}

impl Timers {
    /// Of a connection that has just opened. `answers`: whether its client answers pings.
    pub(in crate::live) fn new(now: Instant, limits: &Limits, answers: bool) -> Self {
        Self {
            hello_by: Some(now + limits.hello_within),
            ping_at: now + limits.ping_interval,
            silent_at: answers.then(|| now + 2 * limits.ping_interval),
            absent_at: None,
            expires_at: None,
            ends_at: None,
            look_at: None,
            go_on_at: None,
            restart_at: None,
        }
    }

    /// Somebody has signed in, or shown a new token.
    pub(in crate::live) fn signed_in(&mut self, now: Instant, wall: OffsetDateTime, token_expires_at: OffsetDateTime) {
        let left = Duration::try_from(token_expires_at - wall).unwrap_or_default();
        self.hello_by = None;
        self.ends_at = None;
        self.expires_at = Some(now + left);
    }

    /// The peer was heard.
    pub(in crate::live) fn received(&mut self, now: Instant, limits: &Limits) {
        self.silent_at = Some(now + 2 * limits.ping_interval);
        self.absent_at = None;
    }

    /// Whether a blocked peer is looked at again.
    pub(in crate::live) fn is_looking(&self) -> bool {
        self.look_at.is_some()
    }

    /// Goes on at that time, or before.
    pub(in crate::live) fn go_on_at(&mut self, at: Instant) {
        self.go_on_at = Some(self.go_on_at.map_or(at, |before| before.min(at)));
    }

    /// The process ends: the connection does at that time.
    pub(in crate::live) fn restart_at(&mut self, at: Instant) {
        self.restart_at.get_or_insert(at);
    }

    /// Look again at a blocked peer; `None`: it is not blocked.
    pub(in crate::live) fn look_at(&mut self, at: Option<Instant>) {
        self.look_at = at;
    }

    /// The next deadline.
    pub(in crate::live) fn next(&self) -> Instant {
        [
            self.hello_by,
            self.silent_at,
            self.absent_at,
            self.expires_at,
            self.ends_at,
            self.look_at,
            self.go_on_at,
            self.restart_at,
        ]
        .into_iter()
        .flatten()
        .fold(self.ping_at, Instant::min)
    }

    /// What is due now, one thing at a time, each once.
    pub(in crate::live) fn due(&mut self, now: Instant, limits: &Limits) -> Option<Due> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.restart_at) {
            return Some(Due::Restart);
        }
        if is_due(self.hello_by) {
            return Some(Due::NoSignIn);
        }
        if is_due(self.ends_at) {
            return Some(Due::GraceOver);
        }
        if is_due(self.silent_at) {
            return Some(Due::Silent);
        }
        if is_due(self.absent_at) {
            self.absent_at = None;
            return Some(Due::Absent);
        }
        if is_due(self.expires_at) {
            self.expires_at = None;
            self.ends_at = Some(now + limits.expiry_grace);
            return Some(Due::Expired);
        }
        if self.ping_at <= now {
            self.ping_at = now + limits.ping_interval;
            self.absent_at = self.silent_at.map(|_| now + limits.absent_after);
            return Some(Due::Ping);
        }
        if is_due(self.look_at) {
            self.look_at = None;
            return Some(Due::Look);
        }
        if is_due(self.go_on_at) {
            self.go_on_at = None;
            return Some(Due::GoOn);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_lives_through_its_deadlines() {
        let limits = Limits::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let wall = OffsetDateTime::UNIX_EPOCH;
        let mut timers = Timers::new(start, &limits, true);
        assert_eq!(timers.next(), after(5));
        assert_eq!(timers.due(after(5), &limits), Some(Due::NoSignIn));
        timers.signed_in(after(5), wall, wall + time::Duration::seconds(30));
        assert_eq!(timers.due(after(20), &limits), Some(Due::Ping));
        assert_eq!(timers.due(after(20), &limits), None);
        assert_eq!(timers.due(after(25), &limits), Some(Due::Absent), "it did not answer");
        assert_eq!(timers.due(after(25), &limits), None);
        timers.received(after(34), &limits);
        assert_eq!(timers.due(after(35), &limits), Some(Due::Expired));
        assert_eq!(timers.next(), after(40));
        timers.signed_in(after(36), wall, wall + time::Duration::seconds(4));
        assert_eq!(timers.due(after(40), &limits), Some(Due::Expired));
        timers.received(after(60), &limits);
        assert_eq!(timers.due(after(65), &limits), Some(Due::GraceOver));
        let mut silent = Timers::new(start, &limits, true);
        silent.signed_in(start, wall, wall + time::Duration::days(1));
        assert_eq!(silent.due(after(40), &limits), Some(Due::Silent));
        let mut mute = Timers::new(start, &limits, false);
        mute.signed_in(start, wall, wall + time::Duration::days(1));
        assert_eq!(mute.due(after(40), &limits), Some(Due::Ping), "who cannot answer is not taken for gone");
        mute.go_on_at(after(42));
        mute.go_on_at(after(41));
        assert_eq!(mute.due(after(41), &limits), Some(Due::GoOn));
        mute.restart_at(after(43));
        mute.restart_at(after(50));
        assert_eq!(mute.due(after(43), &limits), Some(Due::Restart));
    }
}
