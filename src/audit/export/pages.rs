//! The pages of an export: the next one is read while one is written.

use std::collections::VecDeque;

use sqlx::PgPool;
use tokio::sync::mpsc;
use workroom_proofs::{
    hash::Hash,
    tree::{Subtree, cover},
};

use super::{
    positions::Positions,
    rows::{self, EventRow},
    writer::ExportError,
};
use crate::log_tree::{Tree, Trees};

/// Events that are read at a time, as far as their bytes allow.
const PAGE: usize = 2000;
/// The same, of the first page.
const FIRST_PAGE: usize = 64;

/// Some events, and what lies before each of them.
pub(super) struct Page {
    pub(super) rows: Vec<EventRow>,
    /// The hashes of what is not exported between an event and the one before it.
    pub(super) skipped: Vec<Vec<Hash>>,
}

/// Reads an export page by page.
pub(super) struct Pages {
    pool: PgPool,
    trees: Trees,
    left: Left,
    reached: i64,
    until: i64,
    most: usize,
}

impl Pages {
    /// Of what is left, behind a position and up to another.
    pub(super) fn new(pool: PgPool, trees: Trees, left: Left, (after, until): (i64, i64)) -> Self {
        Self { pool, trees, left, reached: after, until, most: FIRST_PAGE }
    }

    /// Reads on, one page ahead of whoever takes them, and no further while nobody does. Behind the last page is none, or an error;
    /// a channel that ends before is no end.
    pub(super) fn ahead(mut self) -> mpsc::Receiver<Result<Option<Page>, ExportError>> {
        let (pages, taken) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let page = self.next().await;
                let is_last = !matches!(page, Ok(Some(_)));
                if pages.send(page).await.is_err() || is_last {
                    break;
                }
            }
        });
        taken
    }

    /// The next page; none at the end.
    async fn next(&mut self) -> Result<Option<Page>, ExportError> {
        let rows = self.left.page(&self.pool, self.most).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        // What does not fit into memory is read in vain: so no more is asked for than was taken the last time.
        self.most = if rows.len() < self.most { rows.len().max(1) } else { (self.most * 2).min(PAGE) };
        if let Some(position) = rows::redacted_since(&self.pool, &rows, self.until).await? {
            return Err(ExportError::Redacted { position });
        }
        let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
        let skipped = skipped(&self.trees, self.reached, &positions).await?;
        self.reached = positions.last().copied().unwrap_or(self.reached);
        Ok(Some(Page { rows, skipped }))
    }
}

/// The hashes of what lies before each of these positions, from the one before it, by one question to the tree.
pub(super) async fn skipped(trees: &Trees, mut reached: i64, positions: &[i64]) -> Result<Vec<Vec<Hash>>, ExportError> {
    let mut wanted: Vec<Subtree> = Vec::new();
    let mut counts = Vec::new();
    for &position in positions {
        let before = wanted.len();
        let (from, to) = (reached.unsigned_abs(), (position - 1).unsigned_abs());
        if from < to {
            wanted.extend(cover(from..to));
        }
        counts.push(wanted.len() - before);
        reached = position;
    }
    let mut hashes = Vec::new().into_iter();
    if !wanted.is_empty() {
        hashes = trees.subtrees(Tree::Log, &wanted).await?.into_iter();
    }
    Ok(counts.into_iter().map(|count| hashes.by_ref().take(count).collect()).collect())
}

/// Events that are not written yet.
pub(super) enum Left {
    All { after: i64, until: i64 },
    Of { positions: Positions, taken: VecDeque<i64> },
}

impl Left {
    /// The next events; none at the end.
    async fn page(&mut self, pool: &PgPool, most: usize) -> Result<Vec<EventRow>, ExportError> {
        let missing = |position: i64| ExportError::Event { position, why: "it, or its leaf, is missing".to_owned() };
        match self {
            Self::All { after, until } => {
                let most = i64::try_from(most).unwrap_or(i64::MAX);
                let page = rows::between(pool, *after, *until, most).await?;
                for row in &page {
                    *after += 1;
                    if row.position != *after {
                        return Err(missing(*after));
                    }
                }
                if page.is_empty() && after < until { Err(missing(*after + 1)) } else { Ok(page) }
            }
            Self::Of { positions, taken } => {
                if taken.is_empty() {
                    taken.extend(positions.next(pool, PAGE).await?);
                }
                let some = taken.len().min(most);
                let page = rows::at(pool, &taken.make_contiguous()[..some]).await?;
                for row in &page {
                    match taken.pop_front() {
                        Some(position) if position == row.position => {}
                        position => return Err(missing(position.unwrap_or_default())),
                    }
                }
                match taken.front() {
                    Some(position) if page.is_empty() => Err(missing(*position)),
                    _ => Ok(page),
                }
            }
        }
    }
}
