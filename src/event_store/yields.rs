//! Taking yields with other processes on one aggregate.
//!
//! Whoever has just committed knows the newest state, has decided the next commands on it, and would win again; whoever lost has
//! to load and to decide first, and would lose for long. So a process that wins where it has lost a moment ago does so for a
//! short while, and then lets the aggregate rest, for about as long as the others need. Nothing depends on it but how long
//! commands wait.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::{AppendRequest, heads::Key};

/// How long a loss is remembered: who has not lost for so long is alone.
const MEMORY: Duration = Duration::from_millis(200);
/// How long a turn lasts: all that waits is decided, one on the other, and committed in an append or two.
const TURN: Duration = Duration::from_millis(4);
/// How long an aggregate then rests, in appends: who lost hears of it, loads, decides, and asks again.
const REST: u32 = 3;
const SHORTEST: Duration = Duration::from_millis(4);
const LONGEST: Duration = Duration::from_millis(20);

struct Turn {
    lost: Instant,
    /// When this process won for the first time after its last loss or rest.
    since: Option<Instant>,
    rests_until: Instant,
}

/// The aggregates that other processes write as well.
#[derive(Default)]
pub(super) struct Yields {
    contended: HashMap<Key, Turn>,
}

impl Yields {
    /// Notes that others came first on these: it is this process' turn next.
    pub(super) fn lost(&mut self, aggregates: &[Key]) {
        let now = Instant::now();
        self.contended.extend(aggregates.iter().map(|key| (*key, Turn { lost: now, since: None, rests_until: now })));
    }

    /// Notes that this process has written these, by an append that took so long.
    pub(super) fn won(&mut self, aggregates: impl Iterator<Item = Key>, took: Duration) {
        if self.contended.is_empty() {
            return;
        }
        let now = Instant::now();
        self.contended.retain(|_, turn| now < turn.lost + MEMORY);
        for key in aggregates {
            if let Some(turn) = self.contended.get_mut(&key) {
                let since = *turn.since.get_or_insert(now);
                if now >= since + TURN {
                    *turn = Turn { since: None, rests_until: now + (REST * took).clamp(SHORTEST, LONGEST), ..*turn };
                }
            }
        }
    }

    /// Whether something that the request writes rests.
    pub(super) fn rests(&self, request: &AppendRequest) -> bool {
        if self.contended.is_empty() {
            return false;
        }
        let now = Instant::now();
        request.streams.iter().any(|stream| {
            let key = (stream.expected.aggregate_type, stream.expected.aggregate_id);
            self.contended.get(&key).is_some_and(|turn| now < turn.rests_until)
        })
    }

    /// When the next one has rested.
    pub(super) fn next(&self) -> Instant {
        let now = Instant::now();
        let waking = self.contended.values().map(|turn| turn.rests_until).filter(|until| *until > now);
        waking.min().unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::event_store::{Expected, StreamAppend};

    fn writes(id: u128) -> AppendRequest {
        let expected = Expected { aggregate_type: "thing", aggregate_id: Uuid::from_u128(id), sequence: 0 };
        let stream = StreamAppend { expected, feed_id: Uuid::nil(), events: Vec::new() };
        AppendRequest { streams: vec![stream], ..AppendRequest::default() }
    }

    fn key(id: u128) -> Key {
        ("thing", Uuid::from_u128(id))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_won_after_a_loss_rests_for_a_while() {
        let mut yields = Yields::default();
        yields.won([key(1)].into_iter(), Duration::from_millis(3));
        assert!(!yields.rests(&writes(1)), "nobody else writes it");
        yields.lost(&[key(1)]);
        assert!(!yields.rests(&writes(1)), "it is our turn");
        yields.won([key(1), key(2)].into_iter(), Duration::from_millis(3));
        assert!(!yields.rests(&writes(1)), "it still is");
        tokio::time::advance(TURN).await;
        yields.won([key(1), key(2)].into_iter(), Duration::from_millis(3));
        assert!(yields.rests(&writes(1)) && !yields.rests(&writes(2)));
        tokio::time::advance(yields.next() - Instant::now()).await;
        assert!(!yields.rests(&writes(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_alone_again_does_not_rest() {
        let mut yields = Yields::default();
        yields.lost(&[key(1)]);
        tokio::time::advance(MEMORY).await;
        yields.won([key(1)].into_iter(), Duration::from_secs(1));
        assert!(!yields.rests(&writes(1)));
        assert!(yields.contended.is_empty());
    }
}
