//! Which workers live.
//!
//! A worker raises a number in its row each second. Whether it lives is judged by that number and this process' own clock, never
//! by a time that another has written: clocks jump. Time in which the database could not be asked, or this process stood still,
//! counts against nobody.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use crate::jobs::pool::{PerPool, Pool};

/// A worker that was silent for so long is given up.
const SILENCE: Duration = Duration::from_millis(2500);
/// How long the time between two looks may count at most.
const LONGEST_GAP: Duration = Duration::from_millis(750);

/// A worker's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WorkerRow {
    pub(super) id: Uuid,
    pub(super) beat: i64,
    pub(super) sandbox_slots: i32,
    pub(super) service_slots: i32,
}

/// What was seen of the workers.
#[derive(Default)]
pub(super) struct Roll {
    seen: HashMap<Uuid, Seen>,
    looked_at: Option<Instant>,
}

struct Seen {
    /// None: it has no row.
    row: Option<WorkerRow>,
    silent_for: Duration,
}

/// A worker that was silent for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silent {
    pub(super) id: Uuid,
    /// What it said last; none where it has no row.
    pub(super) beat: Option<i64>,
}

impl Roll {
    /// Takes note of a look at the rows, and of the workers that run anything; returns those that were silent for too long.
    pub(super) fn look(
        &mut self,
        rows: &[WorkerRow],
        holding: impl Iterator<Item = Uuid>,
        now: Instant,
    ) -> Vec<Silent> {
        let passed = self.looked_at.map_or(Duration::ZERO, |before| (now - before).min(LONGEST_GAP));
        self.looked_at = Some(now);
        let rows: HashMap<Uuid, WorkerRow> = rows.iter().map(|row| (row.id, *row)).collect();
        let mut before = std::mem::take(&mut self.seen);
        let known = rows.keys().copied().chain(holding);
        for id in known {
            let row = rows.get(&id).copied();
            let silent_for = match before.remove(&id) {
                Some(seen) if seen.row.map(|row| row.beat) == row.map(|row| row.beat) => seen.silent_for + passed,
                _ => Duration::ZERO,
            };
            self.seen.entry(id).or_insert(Seen { row, silent_for });
        }
        let silent = self.seen.iter().filter(|(_, seen)| seen.silent_for >= SILENCE);
        silent.map(|(id, seen)| Silent { id: *id, beat: seen.row.map(|row| row.beat) }).collect()
    }

    /// How many slots the workers have.
    pub(super) fn slots(&self) -> PerPool<usize> {
        let mut slots = PerPool::default();
        for row in self.seen.values().filter_map(|seen| seen.row) {
            slots[Pool::Sandbox] += usize::try_from(row.sandbox_slots).unwrap_or_default();
            slots[Pool::Service] += usize::try_from(row.service_slots).unwrap_or_default();
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(250);

    fn row(id: u128, beat: i64) -> WorkerRow {
        WorkerRow { id: Uuid::from_u128(id), beat, sandbox_slots: 2, service_slots: 0 }
    }

    /// Looks until somebody is silent; returns after how long.
    fn silent_after(roll: &mut Roll, rows: &[WorkerRow], holding: &[Uuid], start: Instant) -> Duration {
        let mut now = start;
        loop {
            let silent = roll.look(rows, holding.iter().copied(), now);
            if !silent.is_empty() {
                return now - start;
            }
            now += LOOK;
        }
    }

    #[test]
    fn who_says_nothing_is_given_up_after_a_while_and_who_does_is_not() {
        let (mut roll, start) = (Roll::default(), Instant::now());
        for look in 0..100 {
            assert!(roll.look(&[row(1, i64::from(look) / 4)], std::iter::empty(), start + LOOK * look).is_empty());
        }
        assert_eq!(roll.slots()[Pool::Sandbox], 2);
        let after = silent_after(&mut roll, &[row(1, 24)], &[], start + LOOK * 100);
        assert!(after <= SILENCE, "{after:?}");
    }

    #[test]
    fn who_runs_something_without_a_row_is_given_up_too() {
        let mut roll = Roll::default();
        let after = silent_after(&mut roll, &[], &[Uuid::from_u128(7)], Instant::now());
        assert_eq!(after, SILENCE);
    }

    #[test]
    fn time_in_which_nobody_could_look_counts_little() {
        let (mut roll, start) = (Roll::default(), Instant::now());
        assert!(roll.look(&[row(1, 1)], std::iter::empty(), start).is_empty());
        let late = start + Duration::from_mins(10);
        assert!(roll.look(&[row(1, 1)], std::iter::empty(), late).is_empty(), "the worker may say it in this moment");
    }
}
