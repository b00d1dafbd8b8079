//! How many jobs may start now, where only so many may in a time: a bucket of tokens that fills evenly.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket of tokens; each start takes one. Time is this process' own.
#[derive(Debug)]
pub(super) struct Bucket {
    count: u32,
    every: Duration,
    tokens: u32,
    /// When the next token comes; none while it is full.
    next_at: Option<Instant>,
}

impl Bucket {
    /// One that holds `count` tokens, and gets as many in `period`.
    pub(super) fn new(count: u32, period: Duration, full: bool, now: Instant) -> Self {
        let count = count.max(1);
        let every = (period / count).max(Duration::from_nanos(1));
        let (tokens, next_at) = if full { (count, None) } else { (0, Some(now + every)) };
        Self { count, every, tokens, next_at }
    }

    /// Whether there is a token.
    pub(super) fn has_any(&self) -> bool {
        self.tokens > 0
    }

    /// When the next token comes.
    pub(super) fn refills_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// Takes a token; when the next one comes, if none was on its way before.
    pub(super) fn take(&mut self, now: Instant) -> Option<Instant> {
        self.tokens = self.tokens.saturating_sub(1);
        if self.next_at.is_some() {
            return None;
        }
        self.next_at = Some(now + self.every);
        self.next_at
    }

    /// Puts in what has come by now; when the next token comes.
    pub(super) fn refill(&mut self, now: Instant) -> Option<Instant> {
        let mut next_at = self.next_at?;
        let come = now.saturating_duration_since(next_at).as_nanos() / self.every.as_nanos() + 1;
        let room = self.count.saturating_sub(self.tokens);
        let come = u32::try_from(come).unwrap_or(u32::MAX);
        self.next_at = if come >= room {
            self.tokens = self.count;
            None
        } else {
            self.tokens += come;
            next_at += self.every * come;
            Some(next_at)
        };
        self.next_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_as_many_as_it_holds_and_then_one_at_a_time() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2, Duration::from_secs(1), true, start);
        let half = Duration::from_millis(500);
        assert_eq!(bucket.take(start), Some(start + half));
        assert_eq!(bucket.take(start), None, "the next is on its way");
        assert!(!bucket.has_any());
        assert_eq!(bucket.refill(start + half), Some(start + 2 * half));
        assert!(bucket.has_any());
        assert_eq!(bucket.take(start + half), None);
        assert_eq!(bucket.refill(start + 20 * half), None, "it is full, and holds no more than that");
        assert_eq!(bucket.tokens, 2);
    }

    #[test]
    fn an_empty_one_gives_nothing_at_first() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, Duration::from_secs(1), false, start);
        assert!(!bucket.has_any());
        let tenth = Duration::from_millis(100);
        assert_eq!(bucket.refills_at(), Some(start + tenth));
        assert_eq!(bucket.refill(start + 3 * tenth), Some(start + 4 * tenth));
        assert_eq!(bucket.tokens, 3);
    }
}
