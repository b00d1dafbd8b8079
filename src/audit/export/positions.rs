//! Which positions are in an export, ascending, a page at a time: merged from feeds, each by its own index, so that the
//! rest of the log is not read.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use sqlx::PgPool;
use sqlx_macros::FromRow;
use uuid::Uuid;

/// Positions that are kept in memory for all feeds together, as far as each has a few.
const KEPT: usize = 65_536;
/// The fewest, and the most, that are read of a feed at a time.
const OF_FEED: (usize, usize) = (32, 4096);

/// A part of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The feed.
    pub feed_id: Uuid,
    /// Behind this place in it.
    pub after: i64,
    /// Up to this one.
    pub until: i64,
}

/// The positions of what is in feeds, and of some more.
pub(super) struct Positions {
    sources: Vec<Source>,
    /// The next position of each source that has one.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    last: i64,
    at_a_time: usize,
}

struct Source {
    /// What is still to be read.
    part: Part,
    kept: VecDeque<i64>,
}

#[derive(FromRow)]
struct PlaceRow {
    ordinal: i64,
    feed_seq: i64,
    position: i64,
}

impl Positions {
    /// Those of feeds, and `others`, of which some may be in the feeds.
    pub(super) async fn of(pool: &PgPool, parts: Vec<Part>, mut others: Vec<i64>) -> Result<Self, sqlx::Error> {
        others.sort_unstable();
        let at_a_time = (KEPT / parts.len().max(1)).clamp(OF_FEED.0, OF_FEED.1);
        let sources = parts.into_iter().map(|part| Source { part, kept: VecDeque::new() }).collect();
        let mut merged = Self { sources, next: BinaryHeap::new(), last: 0, at_a_time };
        let all: Vec<usize> = (0..merged.sources.len()).collect();
        merged.fill(pool, &all).await?;
        let nothing = Part { feed_id: Uuid::nil(), after: 0, until: 0 };
        merged.sources.push(Source { part: nothing, kept: others.into() });
        for (index, source) in merged.sources.iter_mut().enumerate() {
            merged.next.extend(source.kept.pop_front().map(|position| Reverse((position, index))));
        }
        Ok(merged)
    }

    /// The next positions, at most so many; none at the end.
    pub(super) async fn next(&mut self, pool: &PgPool, most: usize) -> Result<Vec<i64>, sqlx::Error> {
        let mut positions = Vec::new();
        while positions.len() < most {
            let Some(Reverse((position, index))) = self.next.pop() else { break };
            if position > self.last {
                positions.push(position);
                self.last = position;
            }
            if self.sources[index].kept.is_empty() {
                self.fill(pool, &[index]).await?;
            }
            self.next.extend(self.sources[index].kept.pop_front().map(|next| Reverse((next, index))));
        }
        Ok(positions)
    }

    /// Reads on in these sources.
    async fn fill(&mut self, pool: &PgPool, which: &[usize]) -> Result<(), sqlx::Error> {
        let wanted: Vec<usize> = which
            .iter()
            .copied()
            .filter(|index| self.sources[*index].part.after < self.sources[*index].part.until)
            .collect();
        // What one query reads is bounded, too.
        for some in wanted.chunks((KEPT / self.at_a_time).max(1)) {
            let parts: Vec<Part> = some.iter().map(|index| self.sources[*index].part).collect();
            let rows: Vec<PlaceRow> = sqlx::query_as(
                "SELECT w.ordinal, e.feed_seq, e.position
                 FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS w (feed_id, after, until, ordinal)
                 CROSS JOIN LATERAL (
                     SELECT e.feed_seq, e.position FROM events e
                     WHERE e.feed_id = w.feed_id AND e.feed_seq > w.after AND e.feed_seq <= w.until
                     ORDER BY e.feed_seq LIMIT $4) AS e
                 ORDER BY w.ordinal, e.feed_seq",
            )
            .bind(parts.iter().map(|part| part.feed_id).collect::<Vec<_>>())
            .bind(parts.iter().map(|part| part.after).collect::<Vec<_>>())
            .bind(parts.iter().map(|part| part.until).collect::<Vec<_>>())
            .bind(i64::try_from(self.at_a_time).unwrap_or(i64::MAX))
            .fetch_all(pool)
            .await?;
            for row in rows {
                let place = usize::try_from(row.ordinal - 1).unwrap_or_default();
                let source = &mut self.sources[some[place]];
                source.part.after = row.feed_seq;
                source.kept.push_back(row.position);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No query is made of these: all is kept.
    fn positions(kept: &[&[i64]]) -> Positions {
        let part = Part { feed_id: Uuid::nil(), after: 0, until: 0 };
        let mut sources: Vec<Source> =
            kept.iter().map(|kept| Source { part, kept: kept.iter().copied().collect() }).collect();
        let mut next = BinaryHeap::new();
        for (index, source) in sources.iter_mut().enumerate() {
            next.extend(source.kept.pop_front().map(|position| Reverse((position, index))));
        }
        Positions { sources, next, last: 0, at_a_time: 10 }
    }

    #[tokio::test]
    async fn positions_are_merged_in_order_and_without_repeats() {
        let pool = sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
        let mut merged = positions(&[&[1, 4, 9], &[2, 3, 10], &[], &[3, 4, 11]]);
        let mut all = Vec::new();
        loop {
            let page = merged.next(&pool, 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= 2);
            all.extend(page);
        }
        assert_eq!(all, [1, 2, 3, 4, 9, 10, 11]);
    }
}
