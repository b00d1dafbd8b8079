//! Pauses between attempts.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// The pause before attempt `attempt + 1`: doubling from a second up to `longest`, and of that at random between the half and
/// the whole, so that what failed together does not return together.
pub fn pause(attempt: u32, longest: Duration) -> Duration {
    ceiling(Duration::from_secs(1), attempt, longest).mul_f64(0.5 + share() / 2.0)
}

/// The pause after the first of so many failures more, with full jitter: at random up to a ceiling, which doubles from a second
/// up to `longest` (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015).
pub fn full_jitter(failures: u32, longest: Duration) -> Duration {
    ceiling(Duration::from_secs(1), failures, longest).mul_f64(share())
}

/// The pauses between the attempts at one thing: each up to twice as long as the one before it.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempt: u32,
    /// The part of a pause that is not left to chance.
    certain: f64,
}

impl Backoff {
    /// Pauses that double from `first` up to `longest`, each at random between the half and the whole of that.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempt: 0, certain: 0.5 }
    }

    /// Pauses whose ceiling doubles from `first` up to `longest`, each at random between nothing and the ceiling (full jitter):
    /// for many that fail for one reason, so that they come back spread out.
    pub fn full_jitter(first: Duration, longest: Duration) -> Self {
        Self { certain: 0.0, ..Self::new(first, longest) }
    }

    /// The pause before the next attempt.
    pub fn pause(&mut self) -> Duration {
        let ceiling = ceiling(self.first, self.attempt, self.longest);
        self.attempt = self.attempt.saturating_add(1);
        ceiling.mul_f64(self.certain + share() * (1.0 - self.certain))
    }

    /// Begins with the first pause again: the last attempt went well.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

fn ceiling(first: Duration, attempt: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << attempt.min(16)).min(longest)
}

/// A random number from 0 up to 1.
pub fn share() -> f64 {
    // The keys of a hasher are random, and differ from one to the next.
    let random = RandomState::new().hash_one(0) >> 33;
    #[expect(clippy::cast_precision_loss, reason = "31 bits")]
    let share = random as f64 / f64::from(1_u32 << 31);
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_longest_and_is_never_under_half_of_that() {
        let longest = Duration::from_secs(100);
        for (attempt, ceiling) in [(0, 1), (1, 2), (5, 32), (7, 100), (40, 100)] {
            let pauses: Vec<_> = (0..50).map(|_| pause(attempt, longest)).collect();
            let ceiling = Duration::from_secs(ceiling);
            assert!(pauses.iter().all(|pause| (ceiling / 2..=ceiling).contains(pause)), "{attempt}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{attempt}: all the same");
        }
    }

    #[test]
    fn the_pauses_of_jobs_lie_anywhere_below_a_ceiling_that_doubles_up_to_five_minutes() {
        let longest = Duration::from_mins(5);
        for (failures, ceiling) in [(0, 1), (1, 2), (4, 16), (8, 256), (9, 300), (40, 300)] {
            let ceiling = Duration::from_secs(ceiling);
            let pauses: Vec<_> = (0..200).map(|_| full_jitter(failures, longest)).collect();
            assert!(pauses.iter().all(|pause| *pause <= ceiling), "{failures}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause < ceiling / 4), "{failures}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause > ceiling / 2), "{failures}: {pauses:?}");
        }
    }

    #[test]
    fn full_jitter_lies_anywhere_below_a_ceiling_that_doubles() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        let all: Vec<Backoff> = vec![Backoff::full_jitter(first, longest); 200];
        let mut nth = [Duration::ZERO; 6];
        let mut least = [longest; 6];
        for mut backoff in all {
            for attempt in 0..nth.len() {
                let pause = backoff.pause();
                nth[attempt] = nth[attempt].max(pause);
                least[attempt] = least[attempt].min(pause);
            }
            backoff.reset();
            assert!(backoff.pause() <= first);
        }
        for (attempt, ceiling) in [100, 200, 400, 800, 1000, 1000].map(Duration::from_millis).into_iter().enumerate() {
            assert!(nth[attempt] <= ceiling && nth[attempt] > ceiling / 2, "{attempt}: {nth:?}");
            assert!(least[attempt] < ceiling / 4, "{attempt}: {least:?}");
        }
    }
}
