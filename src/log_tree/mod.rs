//! The log tree: a Merkle tree (RFC 6962) over the whole log and one over each feed, so that whoever has a signed checkpoint can
//! tell whether history was changed since.
//!
//! The hashes themselves, and what checks them, are the crate `workroom-proofs`, which knows no database. Here is what keeps the
//! trees of a running service:
//!
//! | file | |
//! |---|---|
//! | [`integrate`] | pure: events in, leaves and nodes out |
//! | [`store`] | what the leader reads and writes, one statement a batch |
//! | [`follow`] | the leader's loop: it follows the log, in batches, and signs |
//! | [`checkpoint`] | signs, stores and thins checkpoints |
//! | [`publish`] | copies checkpoints to a folder outside the database |
//! | [`keys`] | the keys that sign: made at first use, rotated by command |
//! | [`reader`] | [`Trees`]: roots, proofs and tiles, for whoever serves or exports them |
//!
//! No append waits for any of this. A leaf stands in both trees: in that of the log at `position - 1`, in that of its feed at
//! `feed_seq - 1`. The size of the log's tree is the greatest position in `log_leaves`; leaves, nodes, epochs and the sizes
//! of its feeds go in together, a batch at a time. Two leaders at once collide at the primary key: one stops. A leaf has a
//! random salt, so a tree is not made again from the log: what stands stays, and the salts are as dear as the log itself.

pub(crate) mod checkpoint;
pub(crate) mod follow;
mod integrate;
pub mod keys;
pub(crate) mod publish;
pub mod reader;
mod store;

use uuid::Uuid;

pub use checkpoint::SignedCheckpoint;
pub(crate) use follow::{Lag, LogTree, TreeStatus, lag};
pub(crate) use publish::Publisher;
pub use reader::Trees;

/// One of the trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tree {
    /// Over the whole log.
    Log,
    /// Over a feed.
    Feed(Uuid),
}

impl Tree {
    /// What it is called in `log_nodes`.
    fn id(self) -> Uuid {
        match self {
            Self::Log => Uuid::nil(),
            Self::Feed(feed_id) => feed_id,
        }
    }
}

/// A tree cannot be read or signed.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The database's.
    #[error("the log tree could not be read")]
    Database(#[from] sqlx::Error),
    /// The tree has not grown so far, or it has a hole.
    #[error("the tree does not hold what was asked for: {0}")]
    Missing(String),
    /// A stored hash, key or checkpoint is none.
    #[error("what is stored of the log tree does not read: {0}")]
    Unreadable(&'static str),
    /// The tree has another root than the one that was signed.
    #[error("the tree of size {size} is not the one that was signed: history was changed")]
    Changed {
        /// Size of the signed tree.
        size: u64,
    },
    /// A key, or a note, cannot be used.
    #[error("the checkpoint cannot be signed: {0}")]
    Signing(String),
}

/// A number of the database as one of a tree; none is negative.
fn from_stored(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A number of a tree as one of the database.
fn to_stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
