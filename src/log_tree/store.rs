//! What the leader reads and writes.

use sqlx::{PgConnection, PgExecutor, PgPool, Row};
use sqlx_macros::FromRow;
use uuid::Uuid;
use workroom_proofs::hash::Hash;

use super::{
    TreeError,
    integrate::{Event, Hashed, Node, Stored, Stretch},
    to_stored,
};

/// Events that are read at first, and at most, by one statement.
const FIRST_PAGE: usize = 16;
const PAGE: usize = 256;

/// The columns of an [`Event`]: payload and metadata are the stored bytes.
const SELECT: &str = "SELECT position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence, event_type,
    event_version, payload::text AS payload, metadata::text AS metadata, recorded_at FROM events WHERE ";

/// Where the trees stand.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Standing {
    /// Which log this is.
    pub(super) log_id: Uuid,
    /// Events in the tree.
    pub(super) size: i64,
    /// Events in the log.
    pub(super) head: i64,
    /// The log's epoch.
    pub(super) epoch: Uuid,
    /// The size of the tree that was signed last.
    pub(super) signed: i64,
}

/// Where the trees stand, at one moment.
pub(super) async fn standing(executor: impl PgExecutor<'_>) -> Result<Standing, sqlx::Error> {
    sqlx::query_as(
        "SELECT (SELECT log_id FROM log_identity) AS log_id,
                COALESCE((SELECT position FROM log_leaves ORDER BY position DESC LIMIT 1), 0) AS size,
                COALESCE((SELECT position FROM events ORDER BY position DESC LIMIT 1), 0) AS head,
                (SELECT epoch FROM log_epoch) AS epoch,
                COALESCE((SELECT size FROM log_checkpoints ORDER BY size DESC LIMIT 1), 0) AS signed",
    )
    .fetch_one(executor)
    .await
}

/// Reads events behind `after`: at most `limit`, and about so many bytes.
///
/// Each page is read to its end: what is left of a result is read anyway, by whoever uses the connection next.
pub(super) async fn read(pool: &PgPool, after: i64, limit: usize, bytes: usize) -> Result<Vec<Event>, sqlx::Error> {
    let statement = format!("{SELECT} position > $1 ORDER BY position LIMIT $2");
    let mut connection = pool.acquire().await?;
    let (mut events, mut read) = (Vec::<Event>::new(), 0);
    while events.len() < limit && read < bytes {
        let wanted = page(events.len(), read, bytes).min(limit - events.len());
        let behind = events.last().map_or(after, |event| event.position);
        let found: Vec<Event> = sqlx::query_as(&statement)
            .bind(behind)
            .bind(i64::try_from(wanted).unwrap_or(i64::MAX))
            .fetch_all(&mut *connection)
            .await?;
        let is_last = found.len() < wanted;
        read += found.iter().map(Event::bytes).sum::<usize>();
        events.extend(found);
        if is_last {
            break;
        }
    }
    Ok(events)
}

/// How many events are read next: as many as fit into the bytes that are left, if they are like those that were read.
fn page(count: usize, read: usize, bytes: usize) -> usize {
    if count == 0 {
        return FIRST_PAGE;
    }
    let mean = (read / count).max(1);
    (bytes.saturating_sub(read) / mean).clamp(1, PAGE)
}

/// One event of a feed.
pub(super) async fn event_of_feed(pool: &PgPool, feed_id: Uuid, feed_seq: i64) -> Result<Option<Event>, sqlx::Error> {
    let statement = format!("{SELECT} feed_id = $1 AND feed_seq = $2");
    sqlx::query_as(&statement).bind(feed_id).bind(feed_seq).fetch_optional(pool).await
}

/// Reads the hashes that stand. Those that are missing are missed by whoever takes them.
pub(super) async fn stored(connection: &mut PgConnection, needed: &[Stretch]) -> Result<Stored, TreeError> {
    let mut stored = Stored::new();
    let (leaves, nodes): (Vec<_>, Vec<_>) = needed.iter().partition(|stretch| stretch.level == 0);
    let (of_log, of_feeds): (Vec<_>, Vec<_>) = leaves.into_iter().partition(|stretch| stretch.tree.is_nil());
    for stretch in of_log {
        let hashes: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT hash FROM log_leaves WHERE position > $1 AND position <= $2 ORDER BY position")
                .bind(to_stored(stretch.range.start))
                .bind(to_stored(stretch.range.end))
                .fetch_all(&mut *connection)
                .await?;
        let hashes = hashes.iter().map(|hash| decode(hash)).collect::<Result<_, _>>()?;
        stored.insert((stretch.tree, 0), hashes);
    }
    if !of_feeds.is_empty() {
        let (trees, _, from, to) = columns(&of_feeds);
        // Each leaf is looked up by its position: a join of all could be planned as a walk along all leaves.
        let rows = sqlx::query(
            "SELECT w.tree, 0::smallint AS level, e.hash
             FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS w (tree, first, behind)
             CROSS JOIN LATERAL (
                 SELECT e.feed_seq, (SELECT l.hash FROM log_leaves l WHERE l.position = e.position) AS hash
                 FROM events e WHERE e.feed_id = w.tree AND e.feed_seq > w.first AND e.feed_seq <= w.behind
                 ORDER BY e.feed_seq) AS e
             WHERE e.hash IS NOT NULL ORDER BY w.tree, e.feed_seq",
        )
        .bind(trees)
        .bind(from)
        .bind(to)
        .fetch_all(&mut *connection)
        .await?;
        collect(&rows, &mut stored)?;
    }
    if !nodes.is_empty() {
        let (trees, levels, from, to) = columns(&nodes);
        let rows = sqlx::query(
            "SELECT w.tree, w.level, n.hash
             FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[]) AS w (tree, level, first, behind)
             CROSS JOIN LATERAL (
                 SELECT n.index, n.hash FROM log_nodes n
                 WHERE n.tree = w.tree AND n.level = w.level AND n.index >= w.first AND n.index < w.behind
                 ORDER BY n.index) AS n
             ORDER BY w.tree, w.level, n.index",
        )
        .bind(trees)
        .bind(levels)
        .bind(from)
        .bind(to)
        .fetch_all(&mut *connection)
        .await?;
        collect(&rows, &mut stored)?;
    }
    Ok(stored)
}

type Columns = (Vec<Uuid>, Vec<i16>, Vec<i64>, Vec<i64>);

fn columns(stretches: &[&Stretch]) -> Columns {
    (
        stretches.iter().map(|stretch| stretch.tree).collect(),
        stretches.iter().map(|stretch| small(stretch.level)).collect(),
        stretches.iter().map(|stretch| to_stored(stretch.range.start)).collect(),
        stretches.iter().map(|stretch| to_stored(stretch.range.end)).collect(),
    )
}

fn collect(rows: &[sqlx::postgres::PgRow], stored: &mut Stored) -> Result<(), TreeError> {
    for row in rows {
        let tree: Uuid = row.try_get("tree")?;
        let level: i16 = row.try_get("level")?;
        let hash = decode(row.try_get::<&[u8], _>("hash")?)?;
        stored.entry((tree, u32::try_from(level).unwrap_or_default())).or_default().push(hash);
    }
    Ok(())
}

/// A level, of which there are eight.
pub(super) fn small(level: u32) -> i16 {
    i16::try_from(level).unwrap_or(i16::MAX)
}

/// A stored hash.
pub(super) fn decode(bytes: &[u8]) -> Result<Hash, TreeError> {
    Hash::from_slice(bytes).ok_or(TreeError::Unreadable("a hash"))
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Whole,
    /// Nothing was added: the tree or the log is not as it was read, because another leads or the database is another one.
    Overtaken,
    /// Nothing was added: this feed goes on somewhere else than where the tree has it.
    Broken(Uuid),
}

/// What stands in the way only if somebody else wrote into the tables of the tree: of two leaders, the second one finds the leaves.
const NEVER_TAKEN: [&str; 3] = ["log_nodes_pkey", "log_tree_epochs_pkey", "log_feed_sizes_pkey"];

/// Whether something stands where only the leader writes, and it did not.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    let violation = error.as_database_error().filter(|error| error.is_unique_violation());
    violation.and_then(|error| error.constraint()).is_some_and(|name| NEVER_TAKEN.contains(&name))
}

/// Adds a batch: leaves, nodes, sizes of feeds, and the epoch where it is a new one, in one statement.
///
/// The leaves go in first, for they are counted; the others follow when the count is done. So [`is_taken`] is right.
///
/// # Errors
/// The database's; a leaf that is there already is one of them.
pub(super) async fn add(
    connection: &mut PgConnection,
    batch: &Hashed,
    nodes: &[Node],
    epoch: Uuid,
) -> Result<Added, sqlx::Error> {
    let positions: Vec<i64> = (batch.after + 1..=batch.size()).collect();
    let salts: Vec<&[u8]> = batch.salts.iter().map(<[u8; 16]>::as_slice).collect();
    let leaves: Vec<&[u8]> = batch.leaves.iter().map(|hash| hash.0.as_slice()).collect();
    let trees: Vec<Uuid> = nodes.iter().map(|node| node.tree).collect();
    let levels: Vec<i16> = nodes.iter().map(|node| small(node.level)).collect();
    let indexes: Vec<i64> = nodes.iter().map(|node| to_stored(node.index)).collect();
    let hashes: Vec<&[u8]> = nodes.iter().map(|node| node.hash.0.as_slice()).collect();
    let feeds: Vec<_> = batch.feeds().collect();
    let (added, broken): (i64, Option<Uuid>) = sqlx::query_as(
        "WITH stands AS MATERIALIZED (
             SELECT 1 AS yes FROM log_epoch l WHERE l.epoch = $1
                 AND EXISTS (SELECT FROM events e WHERE e.position = $3 AND e.event_id = $4)
                 AND COALESCE((SELECT l.position FROM log_leaves l ORDER BY l.position DESC LIMIT 1), 0) = $2),
         broken AS MATERIALIZED (
             SELECT f.feed FROM stands, unnest($12::uuid[], $13::bigint[]) AS f (feed, size)
             WHERE f.size <> feed_size_taken_in(f.feed, $2) LIMIT 1),
         fits AS MATERIALIZED (SELECT 1 AS yes FROM stands WHERE NOT EXISTS (SELECT FROM broken)),
         epochs AS (
             INSERT INTO log_tree_epochs (first_position, epoch)
             SELECT $2 + 1, $1 FROM fits WHERE $1 IS DISTINCT FROM (
                 SELECT t.epoch FROM log_tree_epochs t ORDER BY t.first_position DESC LIMIT 1)),
         nodes AS (
             INSERT INTO log_nodes (tree, level, index, hash)
             SELECT n.* FROM fits, unnest($8::uuid[], $9::smallint[], $10::bigint[], $11::bytea[]) AS n),
         sizes AS (
             INSERT INTO log_feed_sizes (feed, position, size)
             SELECT n.* FROM fits, unnest($12::uuid[], $14::bigint[], $15::bigint[]) AS n),
         leaves AS (
             INSERT INTO log_leaves (position, salt, hash)
             SELECT n.* FROM fits, unnest($5::bigint[], $6::bytea[], $7::bytea[]) AS n RETURNING 1)
         SELECT count(*), (SELECT feed FROM broken) FROM leaves",
    )
    .bind(epoch)
    .bind(batch.after)
    .bind(batch.size())
    .bind(batch.last)
    .bind(positions)
    .bind(salts)
    .bind(leaves)
    .bind(trees)
    .bind(levels)
    .bind(indexes)
    .bind(hashes)
    .bind(feeds.iter().map(|feed| feed.feed_id).collect::<Vec<_>>())
    .bind(feeds.iter().map(|feed| to_stored(feed.from)).collect::<Vec<_>>())
    .bind(feeds.iter().map(|feed| feed.position).collect::<Vec<_>>())
    .bind(feeds.iter().map(|feed| to_stored(feed.to)).collect::<Vec<_>>())
    .fetch_one(connection)
    .await?;
    Ok(match broken {
        _ if added > 0 => Added::Whole,
        Some(feed_id) => Added::Broken(feed_id),
        None => Added::Overtaken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_by_what_was_seen() {
        let bytes = 4 * 1024 * 1024;
        assert_eq!(page(0, 0, bytes), FIRST_PAGE);
        assert_eq!(page(16, 16 * 300, bytes), PAGE, "small events");
        assert_eq!(page(16, 0, bytes), PAGE, "of no size at all");
        assert_eq!(page(16, 16 * 64 * 1024, bytes), 48, "as many as fit");
        assert_eq!(page(16, bytes - 1, bytes), 1, "hardly any room");
        assert_eq!(page(16, 2 * bytes, bytes), 1);
    }
}
