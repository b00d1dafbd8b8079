//! Writes an export: in constant memory, a page of events at a time.

use std::{collections::VecDeque, io, time::Duration};

use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use workroom_proofs::{hash::Hash, note::Signer, tree::cover};

use super::{
    context,
    header::{Consistency, End, EpochHead, FORMAT, FeedHead, Header, Scope},
    line::{written_hashes, written_time},
    pages::{Left, Page, Pages, skipped},
    positions::{Part, Positions},
    rows,
    sink::Sink,
};
use crate::{
    clock::now,
    log_tree::{SignedCheckpoint, Tree, TreeError, Trees},
};

/// How long an export waits until the tree has what was committed when it began.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Feeds that are signed at a time.
const FEEDS: usize = 100;
/// Bytes that are handed on at a time.
const PIECE: usize = 64 * 1024;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// What is to be exported.
    pub scope: Scope,
    /// Only what is behind this position.
    pub after: i64,
    /// Prove that the log of this size is the beginning of what is exported.
    pub consistency_from: Option<u64>,
}

/// Why there is no export, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nothing has happened yet.
    #[error("the log is empty: there is nothing to export")]
    Empty,
    /// The scope names nothing.
    #[error("the log knows nothing of this id")]
    Unknown,
    /// It is to begin behind the end.
    #[error("the log ends at position {until}: there is nothing behind {after} yet")]
    Beyond {
        /// Behind which it was to begin.
        after: i64,
        /// Where the log ends.
        until: i64,
    },
    /// The older checkpoint is younger than the newest.
    #[error("the log has {until} events: it never had {from}; is the older checkpoint one of this log?")]
    NeverSoLarge {
        /// The size that was asked for.
        from: u64,
        /// The size of the log.
        until: u64,
    },
    /// The tree does not follow.
    #[error(
        "the log tree has not yet taken in what was committed when the export began; try again while a service with the \
         role projector runs"
    )]
    Behind,
    /// A payload was taken out meanwhile, and what says so is behind the end of the export.
    #[error(
        "the event at position {position} was redacted while it was being exported; export the rest, behind the last \
         position of this part (`after`, --after)"
    )]
    Redacted {
        /// Its position.
        position: i64,
    },
    /// A query failed.
    #[error("the event log could not be read")]
    Database(#[from] sqlx::Error),
    /// The trees cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An event is not as it has to be.
    #[error("the event at position {position} cannot be exported: {why}")]
    Event {
        /// Its position.
        position: i64,
        /// What is wrong with it.
        why: String,
    },
    /// It cannot be written.
    #[error("the export could not be written")]
    Sink(#[from] io::Error),
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Events, those of context included.
    pub events: u64,
    /// The size of the log that the file proves.
    pub size: u64,
}

/// An export that is about to be written.
pub struct Export {
    pool: PgPool,
    trees: Trees,
    header: Header,
    after: i64,
    until: i64,
    /// The feeds; none of the whole log.
    parts: Vec<Part>,
    /// The positions of events of other feeds, ascending.
    others: Vec<i64>,
}

impl Export {
    /// Fixes what is exported: up to the newest checkpoint, which has at least what was committed by now.
    ///
    /// # Errors
    /// There is no such export.
    pub async fn prepare(pool: &PgPool, trees: &Trees, asked: &Asked) -> Result<Self, ExportError> {
        let checkpoint = covering(pool, trees).await?;
        let until = i64::try_from(checkpoint.size).unwrap_or(i64::MAX);
        let from = u64::try_from(asked.after).unwrap_or_default();
        let after = i64::try_from(from).unwrap_or_default();
        if after > until {
            return Err(ExportError::Beyond { after, until });
        }
        let consistency = match asked.consistency_from {
            Some(from) if from > checkpoint.size => {
                return Err(ExportError::NeverSoLarge { from, until: checkpoint.size });
            }
            Some(from) => {
                Some(Consistency { from, hashes: trees.consistency(Tree::Log, from, checkpoint.size).await? })
            }
            None => None,
        };
        // One key signs all of it, whichever signed the checkpoint, and whatever is rotated meanwhile.
        let signer = trees.signer().await?;
        let note = trees.sign_again(&signer, &checkpoint).await?;
        let (feeds, parts) = feeds(pool, (trees, &signer), asked.scope, (from, checkpoint.size)).await?;
        let frontier = if from == 0 { None } else { Some(trees.subtrees(Tree::Log, &cover(0..from)).await?) };
        let epochs = trees.epochs().await?;
        let keys = trees.verifiers().await?;
        let others = others(pool, asked.scope, &parts, (after, until)).await?;
        let mut header = Header {
            format: FORMAT.to_owned(),
            log_id: trees.log_id().await?,
            scope: asked.scope,
            from_position: (asked.scope.is_all() || from > 0).then_some(from),
            exported_at: written_time(now()),
            keys: keys.iter().map(ToString::to_string).collect(),
            checkpoint: note,
            feeds,
            epochs: epochs.into_iter().map(|(first_position, epoch)| EpochHead { first_position, epoch }).collect(),
            frontier,
            consistency,
            signature: None,
        };
        let seal = header.seal(&rows::tree_of(pool, &others).await?).map_err(io::Error::from)?;
        header.signature = Some(trees.sign_export(&signer, (checkpoint.size, checkpoint.root), seal).await?);
        Ok(Self { pool: pool.clone(), trees: trees.clone(), header, after, until, parts, others })
    }

    /// The position behind which it begins.
    pub fn after(&self) -> i64 {
        self.after
    }

    /// The position that it goes up to.
    pub fn until(&self) -> i64 {
        self.until
    }

    /// What is to be written.
    async fn pages(&self) -> Result<Pages, ExportError> {
        let left = if self.header.scope.is_all() {
            Left::All { after: self.after, until: self.until }
        } else {
            let positions = Positions::of(&self.pool, self.parts.clone(), self.others.clone()).await?;
            Left::Of { positions, taken: VecDeque::new() }
        };
        Ok(Pages::new(self.pool.clone(), self.trees.clone(), left, (self.after, self.until)))
    }

    /// Writes all of it. `progress` is told the position that was reached.
    ///
    /// # Errors
    /// It cannot be read, or nobody takes it. What was written then has no last line, and says so to whoever verifies it.
    pub async fn write<S: Sink>(
        self,
        sink: &mut S,
        progress: &(dyn Fn(i64) + Send + Sync),
    ) -> Result<Written, ExportError> {
        let mut out = serde_json::to_vec(&self.header).map_err(io::Error::from)?;
        out.push(b'\n');
        let mut pages = self.pages().await?.ahead();
        let (mut reached, mut events) = (self.after, 0);
        loop {
            let page = pages.recv().await.unwrap_or_else(|| Err(io::Error::other("reading broke off").into()))?;
            let Some(Page { rows, skipped }) = page else { break };
            for (row, skipped) in rows.iter().zip(skipped) {
                let position = row.position;
                let wrong = |why: String| ExportError::Event { position, why };
                let line = row.line(self.header.log_id, skipped).map_err(|why| wrong(why.to_owned()))?;
                line.write(&mut out).map_err(wrong)?;
                events += 1;
                reached = position;
                if out.len() >= PIECE {
                    sink.take(std::mem::take(&mut out)).await?;
                }
            }
            progress(reached);
        }
        let rest = skipped(&self.trees, reached, &[self.until.saturating_add(1)]).await?;
        let rest: Vec<Hash> = rest.into_iter().flatten().collect();
        let end = End { end: true, events: events.to_string(), skipped: written_hashes(&rest) };
        serde_json::to_writer(&mut out, &end).map_err(io::Error::from)?;
        out.push(b'\n');
        sink.take(out).await?;
        sink.end().await?;
        progress(self.until);
        Ok(Written { events, size: self.until.unsigned_abs() })
    }
}

/// The positions of what else is needed to judge the events of these parts of feeds, and is not in them; ascending.
async fn others(pool: &PgPool, scope: Scope, parts: &[Part], range: (i64, i64)) -> Result<Vec<i64>, sqlx::Error> {
    if scope.is_all() {
        return Ok(Vec::new());
    }
    let mut involved = context::involved_in(pool, parts).await?;
    let mut others = Vec::new();
    if let Scope::Project(project_id) = scope
        && let Some(organization_id) = context::organization_of(pool, project_id).await?
    {
        others = context::of_organization(pool, organization_id, &mut involved, range).await?;
    }
    others.extend(context::lives(pool, &involved, range).await?);
    others.sort_unstable();
    others.dedup();
    Ok(others)
}

/// Waits until the tree has what is committed by now, and a checkpoint says so.
async fn covering(pool: &PgPool, trees: &Trees) -> Result<SignedCheckpoint, ExportError> {
    let head = workroom_projections::log::head(pool).await?.unsigned_abs();
    if head == 0 {
        return Err(ExportError::Empty);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(checkpoint) = trees.checkpoint().await?.filter(|checkpoint| checkpoint.size >= head) {
            return Ok(checkpoint);
        }
        if Instant::now() >= deadline {
            return Err(ExportError::Behind);
        }
        sleep(PAUSE).await;
    }
}

/// The feeds that a scope has completely, as the header tells them and as they are read.
async fn feeds(
    pool: &PgPool,
    (trees, signer): (&Trees, &Signer),
    scope: Scope,
    (from, size): (u64, u64),
) -> Result<(Vec<FeedHead>, Vec<Part>), ExportError> {
    let (own, others) = match scope {
        Scope::All(_) => return Ok((Vec::new(), Vec::new())),
        Scope::Project(id) => (id, Vec::new()),
        Scope::Organization(id) => (id, context::projects_of(pool, id, i64::try_from(size).unwrap_or(i64::MAX)).await?),
    };
    let feed_ids: Vec<Uuid> = std::iter::once(own).chain(others).collect();
    let (mut heads, mut parts) = (Vec::new(), Vec::new());
    for some in feed_ids.chunks(FEEDS) {
        let checkpoints = trees.sign_feeds(signer, some, size).await?;
        let before = if from == 0 { vec![0; some.len()] } else { trees.feed_sizes(some, from).await? };
        for ((&feed_id, feed), after) in some.iter().zip(checkpoints).zip(before) {
            if feed.size == 0 {
                return Err(ExportError::Unknown);
            }
            let frontier = match after {
                0 => None,
                after => Some(trees.subtrees(Tree::Feed(feed_id), &cover(0..after)).await?),
            };
            heads.push(FeedHead { feed_id, after, checkpoint: feed.checkpoint, frontier });
            let place = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            parts.push(Part { feed_id, after: place(after), until: place(feed.size) });
        }
    }
    Ok((heads, parts))
}

/// The scope of an id, for messages.
impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = |f: &mut std::fmt::Formatter<'_>, noun: &str, id: &Uuid| write!(f, "{noun} {id}");
        match self {
            Self::Project(id) => named(f, "project", id),
            Self::Organization(id) => named(f, "organization", id),
            Self::All(_) => f.write_str("the whole log"),
        }
    }
}
