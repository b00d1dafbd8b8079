//! When the subscribers of a feed are woken: at once, as long as little comes; else a few milliseconds after they were woken last, for
//! all that has come since. A busy feed with many subscribers then costs fewer system calls, and one with few has no delay.

use std::time::Duration;

use tokio::time::Instant;

/// The pause between two wakes: from about 400 a second on, several events go out together.
const PAUSE: Duration = Duration::from_millis(2);
/// Subscribers from which on it is worth that.
const MANY: usize = 8;

/// When to wake the subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    Now,
    /// At that time, and somebody has to see to it.
    At(Instant),
    /// Somebody sees to it already.
    Due,
}

/// When the subscribers of a feed were woken, and will be.
#[derive(Default)]
pub(super) struct Gathering {
    woken: Option<Instant>,
    due: Option<Instant>,
}

impl Gathering {
    /// Something has come for so many subscribers.
    pub(super) fn news(&mut self, now: Instant, subscribers: usize) -> Wake {
        if self.due.is_some() {
            return Wake::Due;
        }
        let earliest = self.woken.map_or(now, |woken| woken + PAUSE);
        if earliest > now && subscribers >= MANY {
            self.due = Some(earliest);
            return Wake::At(earliest);
        }
        self.woken = Some(now);
        Wake::Now
    }

    /// They are woken for all that has come.
    pub(super) fn wake(&mut self, now: Instant) {
        self.woken = Some(now);
        self.due = None;
    }

    /// When they are to be woken.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_soon_after_waits_for_the_rest() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut gathering = Gathering::default();
        assert_eq!(gathering.news(start, MANY), Wake::Now);
        assert_eq!(gathering.news(after(1), MANY), Wake::At(after(2)));
        assert_eq!(gathering.news(after(1), MANY), Wake::Due);
        assert_eq!(gathering.due(), Some(after(2)));
        gathering.wake(after(2));
        assert_eq!(gathering.news(after(4), MANY), Wake::Now, "little comes");
        assert_eq!(gathering.news(after(5), MANY - 1), Wake::Now, "it is for few");
    }
}
