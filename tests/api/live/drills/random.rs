//! Moments and victims, the same with each run of a seed.

use std::time::Duration;

use uuid::Uuid;

/// A cheap generator.
pub struct Random {
    pub seed: u32,
    state: u64,
}

impl Random {
    /// By `WORKROOM_DRILL_SEED`, else by chance; says which.
    pub fn from_environment() -> Self {
        let seed = match std::env::var("WORKROOM_DRILL_SEED") {
            Ok(seed) => seed.parse().expect("WORKROOM_DRILL_SEED is a number"),
            Err(_) => u32::try_from(Uuid::now_v7().as_u128() % 1_000_000).expect("a small number"),
        };
        eprintln!("WORKROOM_DRILL_SEED={seed}");
        Self { seed, state: u64::from(seed) }
    }

    /// A number below `below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).expect("31 bits") % below
    }

    /// A time below `below`, in milliseconds.
    pub fn duration_below(&mut self, below: Duration) -> Duration {
        let millis = usize::try_from(below.as_millis()).expect("a short time");
        Duration::from_millis(u64::try_from(self.below(millis)).expect("a short time"))
    }

    /// Puts things into any order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = self.below(last + 1);
            all.swap(last, other);
        }
    }
}
