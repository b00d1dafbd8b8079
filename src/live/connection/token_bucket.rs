//! A token bucket: so many at once, so many a second.

use tokio::time::Instant;

/// A token bucket.
pub(in crate::live) struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(in crate::live) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        Self { per_second: per_second.into(), burst: burst.into(), tokens: burst.into(), filled: now }
    }

    /// Takes one token; `false` when there is none.
    pub(in crate::live) fn take(&mut self, now: Instant) -> bool {
        self.take_many(1, now)
    }

    /// Takes so many tokens; `false` when there are fewer.
    pub(in crate::live) fn take_many(&mut self, count: u32, now: Instant) -> bool {
        self.fill(now);
        let count = f64::from(count);
        if self.tokens < count {
            return false;
        }
        self.tokens -= count;
        true
    }

    /// Whether it has all its tokens.
    pub(in crate::live) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.burst
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = elapsed.mul_add(self.per_second, self.tokens).min(self.burst);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(2, 3, start);
        assert!((0..3).all(|_| bucket.take(start)));
        assert!(!bucket.take(start));
        assert!(bucket.take(start + Duration::from_millis(500)));
        assert!(!bucket.take(start + Duration::from_millis(500)));
        assert!((0..3).all(|_| bucket.take(start + Duration::from_hours(1))), "no more than the burst is saved up");
        assert!(!bucket.take(start + Duration::from_hours(1)));
    }
}
