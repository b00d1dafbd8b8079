//! What is asked of the trees: sizes, roots, proofs, tiles, checkpoints.
//!
//! A complete subtree is the same for ever, and so is a full tile (256 hashes side by side): those are cached. A database that was
//! replaced by an older copy of itself may have grown others since; so the cache belongs to one server, which is asked for.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::PgPool;
use tokio::{sync::OnceCell, time::Instant};
use uuid::Uuid;
use workroom_projections::log;
use workroom_proofs::{
    checkpoint::{Checkpoint, origin},
    entry::{Salt, commitment},
    frontier::Frontier,
    hash::Hash,
    note::{self, Signer, Verifier},
    tile::Tile,
    tree::{self, Subtree},
};

use super::{
    SignedCheckpoint, Tree, TreeError, checkpoint, from_stored,
    integrate::{self, TILE_LEVELS, WIDTH, perfect},
    keys::{self, KeyRow},
    store, to_stored,
};

/// Bytes of tiles that are kept.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes that a tile takes beside its hashes, roughly.
const OVERHEAD: usize = 256;
/// How long it is believed that the server is the same.
const SAME_SERVER: Duration = Duration::from_secs(1);

/// The generation comes first: what was read before the cache was dropped, and comes too late, is found by nobody.
type TileKey = (u64, Tree, u32, u64);

/// The trees. Cheap to clone.
#[derive(Clone)]
pub struct Trees {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    log_id: OnceCell<Uuid>,
    tiles: moka::sync::Cache<TileKey, Arc<[Hash]>>,
    /// How often the cache was dropped.
    generation: AtomicU64,
    server: Mutex<Option<(Instant, String)>>,
}

/// What proves one event: its entry, and its place in the trees.
#[derive(Clone, Debug)]
pub struct EventEntry {
    /// Its place in the whole log.
    pub position: i64,
    /// Its place in the feed.
    pub feed_seq: i64,
    /// What is hashed, as text.
    pub entry: String,
    /// The hash of it.
    pub leaf: Hash,
}

/// A feed as it was when the log had some size.
#[derive(Clone, Debug)]
pub struct SignedFeed {
    /// Events in it.
    pub size: u64,
    /// The signed note of its tree's size and root.
    pub checkpoint: String,
}

impl Trees {
    /// The trees of a database.
    pub fn new(pool: PgPool) -> Self {
        let weigh = |_: &TileKey, tile: &Arc<[Hash]>| {
            u32::try_from(tile.len() * size_of::<Hash>() + OVERHEAD).unwrap_or(u32::MAX)
        };
        let tiles = moka::sync::Cache::builder().max_capacity(CACHE_BYTES).weigher(weigh).build();
        let (log_id, generation, server) = (OnceCell::new(), AtomicU64::new(0), Mutex::new(None));
        Self { inner: Arc::new(Inner { pool, log_id, tiles, generation, server }) }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// Which log this is.
    ///
    /// # Errors
    /// The database's.
    pub async fn log_id(&self) -> Result<Uuid, TreeError> {
        let ask = || sqlx::query_scalar("SELECT log_id FROM log_identity").fetch_one(self.pool());
        Ok(*self.inner.log_id.get_or_try_init(ask).await?)
    }

    /// How many events the tree of the log holds.
    ///
    /// # Errors
    /// The database's.
    pub async fn size(&self) -> Result<u64, TreeError> {
        let size = "SELECT COALESCE((SELECT position FROM log_leaves ORDER BY position DESC LIMIT 1), 0)";
        Ok(from_stored(sqlx::query_scalar(size).fetch_one(self.pool()).await?))
    }

    /// How many events a feed had when the log had so many.
    ///
    /// # Errors
    /// The database's.
    pub async fn feed_size(&self, feed_id: Uuid, log_size: u64) -> Result<u64, TreeError> {
        let size = sqlx::query_scalar("SELECT feed_size_at($1, $2)").bind(feed_id).bind(to_stored(log_size));
        Ok(from_stored(size.fetch_one(self.pool()).await?))
    }

    /// How many events each of these feeds had when the log had so many, in the order in which they are asked for.
    ///
    /// # Errors
    /// The database's.
    pub async fn feed_sizes(&self, feed_ids: &[Uuid], log_size: u64) -> Result<Vec<u64>, TreeError> {
        let sizes: Vec<i64> = sqlx::query_scalar(
            "SELECT feed_size_at(w.feed_id, $2)
             FROM unnest($1::uuid[]) WITH ORDINALITY AS w (feed_id, ordinal) ORDER BY w.ordinal",
        )
        .bind(feed_ids)
        .bind(to_stored(log_size))
        .fetch_all(self.pool())
        .await?;
        Ok(sizes.into_iter().map(from_stored).collect())
    }

    /// The root of a tree when it had this size.
    ///
    /// # Errors
    /// The tree is not that large; the database's.
    pub async fn root(&self, tree: Tree, size: u64) -> Result<Hash, TreeError> {
        Ok(tree::root_of_cover(&self.subtrees(tree, &tree::cover(0..size)).await?))
    }

    /// The hashes of complete subtrees, in the order in which they are asked for.
    ///
    /// # Errors
    /// The tree does not hold one of them; the database's.
    pub async fn subtrees(&self, tree: Tree, wanted: &[Subtree]) -> Result<Vec<Hash>, TreeError> {
        self.stay_with_server().await?;
        // A tile that is not full yet is read once a call.
        let mut read = HashMap::<(u32, u64), Arc<[Hash]>>::new();
        let mut found = Vec::with_capacity(wanted.len());
        for subtree in wanted {
            let (level, above) = (subtree.level / TILE_LEVELS, subtree.level % TILE_LEVELS);
            let index = subtree.index >> (TILE_LEVELS - above);
            let tile = match read.get(&(level, index)) {
                Some(tile) => Arc::clone(tile),
                None => self.row(tree, level, index).await?,
            };
            let width = 1_usize << above;
            // Of the tile, so less than 256.
            let first = usize::try_from((subtree.index << above) % WIDTH).unwrap_or_default();
            let missing = || TreeError::Missing(format!("subtree {} of level {}", subtree.index, subtree.level));
            found.push(perfect(tile.get(first..first + width).ok_or_else(missing)?));
            read.insert((level, index), tile);
        }
        Ok(found)
    }

    /// The audit path of a leaf in the tree of this size (RFC 6962, 2.1.1).
    ///
    /// # Errors
    /// There is no such leaf; the database's.
    pub async fn inclusion(&self, tree: Tree, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        let missing = || TreeError::Missing(format!("leaf {index} of {size}"));
        self.roots(tree, &tree::inclusion(index, size).ok_or_else(missing)?).await
    }

    /// The proof that the tree of size `to` continues the one of size `from` (RFC 6962, 2.1.2).
    ///
    /// # Errors
    /// There are no such sizes; the database's.
    pub async fn consistency(&self, tree: Tree, from: u64, to: u64) -> Result<Vec<Hash>, TreeError> {
        let missing = || TreeError::Missing(format!("sizes {from} and {to}"));
        self.roots(tree, &tree::consistency(from, to).ok_or_else(missing)?).await
    }

    /// The roots over ranges of leaves.
    async fn roots(&self, tree: Tree, ranges: &[Range<u64>]) -> Result<Vec<Hash>, TreeError> {
        let covers: Vec<Vec<Subtree>> = ranges.iter().map(|range| tree::cover(range.clone())).collect();
        let hashes = self.subtrees(tree, &covers.concat()).await?;
        let mut rest = hashes.as_slice();
        let mut roots = Vec::with_capacity(ranges.len());
        for cover in covers {
            let (these, others) = rest.split_at(cover.len());
            roots.push(tree::root_of_cover(these));
            rest = others;
        }
        Ok(roots)
    }

    /// The hashes of a tile of the log's tree (C2SP tlog-tiles); none where no checkpoint covers all of it yet. What is not signed
    /// may still be lost with the database, and grow again as something else.
    ///
    /// # Errors
    /// The database's.
    pub async fn tile(&self, tile: &Tile) -> Result<Option<Vec<Hash>>, TreeError> {
        let signed = self.signed_size().await?;
        if leaves_before_end(tile).is_none_or(|leaves| leaves > signed) {
            return Ok(None);
        }
        self.stay_with_server().await?;
        let row = self.row(Tree::Log, u32::from(tile.level), tile.index).await?;
        Ok(row.get(..usize::from(tile.width)).map(<[Hash]>::to_vec))
    }

    /// The latest checkpoint; none before the first event was signed.
    ///
    /// # Errors
    /// The database's.
    pub async fn checkpoint(&self) -> Result<Option<SignedCheckpoint>, TreeError> {
        checkpoint::latest(self.pool()).await
    }

    /// The size of the latest checkpoint.
    ///
    /// # Errors
    /// The database's.
    pub async fn signed_size(&self) -> Result<u64, TreeError> {
        Ok(self.checkpoint().await?.map_or(0, |signed| signed.size))
    }

    /// A checkpoint of a feed as it was when the log had this size, signed now.
    ///
    /// # Errors
    /// As [`Trees::sign_feeds`].
    pub async fn sign_feed(&self, feed_id: Uuid, log_size: u64) -> Result<String, TreeError> {
        let signed = self.sign_feeds(&self.signer().await?, &[feed_id], log_size).await?.pop();
        Ok(signed.ok_or_else(|| TreeError::Missing(format!("feed {feed_id}")))?.checkpoint)
    }

    /// Checkpoints of feeds as they were when the log had this size, signed now, in the order in which they are asked for.
    ///
    /// # Errors
    /// The tree is not that large; a feed is shorter than it was when the tree took it in: history was changed. The database's.
    pub async fn sign_feeds(
        &self,
        signer: &Signer,
        feed_ids: &[Uuid],
        log_size: u64,
    ) -> Result<Vec<SignedFeed>, TreeError> {
        let log_id = self.log_id().await?;
        let sizes: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT feed_size_at(w.feed_id, $2), feed_size_taken_in(w.feed_id, $2)
             FROM unnest($1::uuid[]) WITH ORDINALITY AS w (feed_id, ordinal) ORDER BY w.ordinal",
        )
        .bind(feed_ids)
        .bind(to_stored(log_size))
        .fetch_all(self.pool())
        .await?;
        if sizes.iter().any(|(size, taken_in)| size < taken_in) {
            return Err(TreeError::Changed { size: log_size });
        }
        let feeds: Vec<(Uuid, u64)> =
            feed_ids.iter().zip(sizes).map(|(feed_id, (size, _))| (*feed_id, from_stored(size))).collect();
        let roots = self.roots_of_small(&feeds).await?;
        let mut checkpoints = Vec::with_capacity(feeds.len());
        for (feed_id, size) in feeds {
            let root = match roots.get(&feed_id) {
                Some(root) => *root,
                None => self.root(Tree::Feed(feed_id), size).await?,
            };
            let checkpoint = checkpoint::sign_feed(signer, (log_id, feed_id), size, root, log_size)?;
            checkpoints.push(SignedFeed { size, checkpoint });
        }
        Ok(checkpoints)
    }

    /// The roots of those of these feeds that do not fill a tile, as most do not: by one query.
    async fn roots_of_small(&self, feeds: &[(Uuid, u64)]) -> Result<HashMap<Uuid, Hash>, TreeError> {
        let small: Vec<(Uuid, u64)> = feeds.iter().copied().filter(|(_, size)| *size < WIDTH).collect();
        let leaves: Vec<(Uuid, Option<Vec<u8>>)> = sqlx::query_as(
            "SELECT w.feed_id, e.hash FROM unnest($1::uuid[], $2::bigint[]) AS w (feed_id, size)
             CROSS JOIN LATERAL (
                 SELECT e.feed_seq, (SELECT l.hash FROM log_leaves l WHERE l.position = e.position) AS hash
                 FROM events e WHERE e.feed_id = w.feed_id AND e.feed_seq <= w.size ORDER BY e.feed_seq LIMIT $3) AS e
             ORDER BY w.feed_id, e.feed_seq",
        )
        .bind(small.iter().map(|(feed_id, _)| *feed_id).collect::<Vec<_>>())
        .bind(small.iter().map(|(_, size)| to_stored(*size)).collect::<Vec<_>>())
        .bind(to_stored(WIDTH))
        .fetch_all(self.pool())
        .await?;
        let mut trees: HashMap<Uuid, Frontier> = small.iter().map(|(feed_id, _)| (*feed_id, Frontier::new())).collect();
        for (feed_id, leaf) in leaves {
            if let (Some(tree), Some(leaf)) = (trees.get_mut(&feed_id), leaf) {
                tree.push(store::decode(&leaf)?);
            }
        }
        // Places are unique: so many leaves are all of them.
        if let Some((feed_id, size)) = small.iter().find(|(feed_id, size)| trees[feed_id].size() != *size) {
            return Err(TreeError::Missing(format!("a leaf of {size} of the feed {feed_id}")));
        }
        Ok(trees.into_iter().map(|(feed_id, tree)| (feed_id, tree.root())).collect())
    }

    /// Signs what the header of an export says: the log's size and root, and lines behind them.
    ///
    /// # Errors
    /// A line is none; the database's.
    pub async fn sign_export(
        &self,
        signer: &Signer,
        log: (u64, Hash),
        extensions: Vec<String>,
    ) -> Result<String, TreeError> {
        checkpoint::sign_export(signer, self.log_id().await?, log, extensions)
    }

    /// The note of a checkpoint that is stored, signed anew by this key: the stored one may be of a key that was rotated since.
    ///
    /// # Errors
    /// What is stored is not what a key of this log has signed; the database's.
    pub async fn sign_again(&self, signer: &Signer, stored: &SignedCheckpoint) -> Result<String, TreeError> {
        let log_id = self.log_id().await?;
        let known = keys::verifiers(self.pool()).await?;
        let told = note::open(&stored.note, &known).ok().and_then(|text| text.parse::<Checkpoint>().ok());
        let is_stored =
            |told: Checkpoint| (told.size, told.root) == (stored.size, stored.root) && told.origin == origin(log_id);
        if !told.is_some_and(is_stored) {
            return Err(TreeError::Unreadable("the latest checkpoint"));
        }
        Ok(checkpoint::sign(signer, log_id, stored.size, stored.root)?.note)
    }

    /// Each epoch with the first position whose leaf names it, in order.
    ///
    /// # Errors
    /// The database's.
    pub async fn epochs(&self) -> Result<Vec<(i64, Uuid)>, TreeError> {
        let epochs = "SELECT first_position, epoch FROM log_tree_epochs ORDER BY first_position";
        Ok(sqlx::query_as(epochs).fetch_all(self.pool()).await?)
    }

    /// What verifies signatures of checkpoints, of all keys that ever signed; the one that signs comes first.
    ///
    /// # Errors
    /// The database's.
    pub async fn verifiers(&self) -> Result<Vec<Verifier>, TreeError> {
        self.make_key().await?;
        keys::verifiers(self.pool()).await
    }

    /// The same, as they are listed.
    ///
    /// # Errors
    /// The database's.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, TreeError> {
        self.make_key().await?;
        Ok(keys::list(self.pool()).await?)
    }

    async fn make_key(&self) -> Result<(), TreeError> {
        self.signer().await.map(drop)
    }

    /// The key that signs now; made, where there is none.
    pub(crate) async fn signer(&self) -> Result<Signer, TreeError> {
        let log_id = self.log_id().await?;
        let mut connection = self.pool().acquire().await?;
        keys::signer(&mut connection, log_id).await
    }

    /// What is hashed of an event of a feed; none where the feed has no such place, or the tree not yet.
    ///
    /// # Errors
    /// The event is not the one whose leaf stands in the tree: history was changed. The database's.
    pub async fn event_entry(&self, feed_id: Uuid, feed_seq: i64) -> Result<Option<EventEntry>, TreeError> {
        // Salt, commitment, hash.
        type Leaf = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);
        let Some(event) = store::event_of_feed(self.pool(), feed_id, feed_seq).await? else { return Ok(None) };
        let found: Option<Leaf> = sqlx::query_as("SELECT salt, commitment, hash FROM log_leaves WHERE position = $1")
            .bind(event.position)
            .fetch_optional(self.pool())
            .await?;
        let Some((salt, committed, hash)) = found else { return Ok(None) };
        let committed = match (salt, committed) {
            (Some(salt), _) => {
                let salt = Salt::try_from(salt).map_err(|_| TreeError::Unreadable("a salt"))?;
                commitment(&salt, event.payload.as_bytes())
            }
            (None, Some(committed)) => store::decode(&committed)?,
            (None, None) => return Err(TreeError::Unreadable("a leaf")),
        };
        let epochs = self.epochs().await?;
        let epoch = epochs.iter().rev().find(|(first, _)| *first <= event.position);
        let (_, epoch) = *epoch.ok_or(TreeError::Unreadable("an epoch"))?;
        let unusable = |_| TreeError::Unreadable("an entry");
        let entry = integrate::entry(&event, self.log_id().await?, epoch, committed).bytes().map_err(unusable)?;
        let leaf = Hash::leaf(&entry);
        if leaf != store::decode(&hash)? {
            return Err(TreeError::Changed { size: from_stored(event.position) });
        }
        let entry = String::from_utf8(entry).map_err(|_| TreeError::Unreadable("an entry"))?;
        Ok(Some(EventEntry { position: event.position, feed_seq, entry, leaf }))
    }

    /// The hashes of a tile, as many as there are.
    async fn row(&self, tree: Tree, level: u32, index: u64) -> Result<Arc<[Hash]>, TreeError> {
        let key = (self.inner.generation.load(Ordering::SeqCst), tree, level, index);
        if let Some(tile) = self.inner.tiles.get(&key) {
            return Ok(tile);
        }
        let Some(places) = places(index) else { return Ok(Arc::from([])) };
        let hashes: Arc<[Hash]> = self.read(tree, level, places).await?.into();
        if hashes.len() as u64 == WIDTH {
            self.inner.tiles.insert(key, Arc::clone(&hashes));
        }
        Ok(hashes)
    }

    /// The hashes of a level, up to the first that is missing.
    async fn read(&self, tree: Tree, level: u32, range: Range<u64>) -> Result<Vec<Hash>, TreeError> {
        let (first, behind) = (to_stored(range.start), to_stored(range.end));
        let found: Vec<(i64, Option<Vec<u8>>)> = match (tree, level) {
            (Tree::Log, 0) => {
                let leaves = sqlx::query_as(
                    "SELECT position - 1, hash FROM log_leaves WHERE position > $1 AND position <= $2 ORDER BY position",
                );
                leaves.bind(first).bind(behind).fetch_all(self.pool()).await?
            }
            (Tree::Feed(feed_id), 0) => {
                let leaves = sqlx::query_as(
                    "SELECT e.feed_seq - 1, (SELECT l.hash FROM log_leaves l WHERE l.position = e.position)
                     FROM events e WHERE e.feed_id = $1 AND e.feed_seq > $2 AND e.feed_seq <= $3 ORDER BY e.feed_seq",
                );
                leaves.bind(feed_id).bind(first).bind(behind).fetch_all(self.pool()).await?
            }
            (tree, level) => {
                let nodes = sqlx::query_as(
                    "SELECT index, hash FROM log_nodes
                     WHERE tree = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index",
                );
                let nodes = nodes.bind(tree.id()).bind(store::small(level));
                nodes.bind(first).bind(behind).fetch_all(self.pool()).await?
            }
        };
        let known = found.into_iter().zip(first..).map_while(
            |((index, hash), expected)| {
                if index == expected { hash } else { None }
            },
        );
        known.map(|hash| store::decode(&hash)).collect()
    }

    /// Drops what is cached.
    pub(super) fn forget(&self) {
        self.inner.generation.fetch_add(1, Ordering::SeqCst);
        self.inner.tiles.invalidate_all();
    }

    /// Drops what is cached when it may be another database's.
    async fn stay_with_server(&self) -> Result<(), TreeError> {
        let now = Instant::now();
        let is_known = |known: &(Instant, String)| now.duration_since(known.0) < SAME_SERVER;
        if self.server().as_ref().is_some_and(is_known) {
            return Ok(());
        }
        let server = log::server(self.pool()).await?;
        let mut known = self.server();
        if known.as_ref().is_some_and(|(_, known)| *known != server) {
            self.forget();
        }
        *known = Some((now, server));
        Ok(())
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Option<(Instant, String)>> {
        self.inner.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The places in its level of the hashes of a tile, as far as the database could count them.
fn places(index: u64) -> Option<Range<u64>> {
    let first = index.checked_mul(WIDTH)?;
    let behind = first.checked_add(WIDTH)?;
    i64::try_from(behind).is_ok().then_some(first..behind)
}

/// How many leaves there are up to the end of a tile; none if no tree has so many.
fn leaves_before_end(tile: &Tile) -> Option<u64> {
    let hashes = tile.index.checked_mul(WIDTH)?.checked_add(u64::from(tile.width))?;
    hashes.checked_mul(WIDTH.checked_pow(u32::from(tile.level))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(path: &str) -> Option<u64> {
        leaves_before_end(&path.parse().unwrap())
    }

    #[test]
    fn a_tile_needs_the_leaves_up_to_its_end() {
        assert_eq!(leaves("0/000"), Some(256));
        assert_eq!(leaves("0/000.p/8"), Some(8));
        assert_eq!(leaves("0/x001/067.p/8"), Some(1067 * 256 + 8));
        assert_eq!(leaves("1/001.p/2"), Some((256 + 2) * 256));
        assert_eq!(leaves("7/000"), None);
        assert_eq!(leaves("7/000.p/1"), Some(1 << 56));
        assert_eq!(leaves("63/000.p/1"), None);
        // Its last hash would be the one behind the greatest number.
        assert_eq!(leaves("0/x072/x057/x594/x037/x927/935"), None);
        assert_eq!(places(72_057_594_037_927_935), None);
        assert_eq!(places(u64::MAX), None);
        assert_eq!(places(3), Some(768..1024));
    }

    #[tokio::test]
    async fn what_was_read_before_the_cache_was_dropped_is_not_found() {
        let pool = sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
        let trees = Trees::new(pool);
        let key = |trees: &Trees| (trees.inner.generation.load(Ordering::SeqCst), Tree::Log, 0, 0);
        let before = key(&trees);
        trees.forget();
        trees.inner.tiles.insert(before, Arc::from([Hash::EMPTY]));
        assert!(trees.inner.tiles.get(&key(&trees)).is_none());
    }
}
