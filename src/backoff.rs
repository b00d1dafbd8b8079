//! Pauses between attempts.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// The pause before attempt `attempt + 1`: doubling from a second up to `longest`, and of that at random between the half and
/// the whole, so that what failed together does not return together.
pub fn pause(attempt: u32, longest: Duration) -> Duration {
    let ceiling = Duration::from_secs(1 << attempt.min(16)).min(longest);
    // The keys of a hasher are random, and differ from one to the next.
    let random = RandomState::new().hash_one(attempt) >> 33;
    #[expect(clippy::cast_precision_loss, reason = "31 bits")]
    let share = random as f64 / f64::from(1_u32 << 31);
    ceiling.mul_f64(0.5 + share / 2.0)
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
}
