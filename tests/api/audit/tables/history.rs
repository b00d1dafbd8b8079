//! Events that come, go and change places.

use super::{CHANGED, MISPLACED, MISSING, Mutation, Random, store::Tables};

pub(super) const KINDS: usize = 10;

pub(super) async fn mutate(tables: &Tables, random: &mut Random, kind: usize) -> Mutation {
    let (position, size) = (tables.any(random), tables.size);
    let missing = |what, position| Mutation::new(what, &[MISSING], Some(position));
    match kind {
        0 => {
            let other = loop {
                let other = tables.any(random);
                if other != position {
                    break other;
                }
            };
            tables.swap("events", position, other).await;
            Mutation::new("two events in each other's place", MISPLACED, Some(position.min(other)))
        }
        1 => {
            let position = position.min(size - 1);
            tables.swap("events", position, position + 1).await;
            tables.swap("log_leaves", position, position + 1).await;
            Mutation::new("two neighbours and their leaves reordered", MISPLACED, Some(position))
        }
        2 => {
            let first = between_feeds(tables, random, position).await;
            Mutation::new("two events in each other's feed", MISPLACED, Some(first))
        }
        3 => {
            tables.change(&format!("DELETE FROM events WHERE position = {position}")).await;
            missing("an event less", position)
        }
        4 => {
            tables.take_away(position).await;
            missing("an event less, and the others closed up", size)
        }
        5 => {
            tables.take_away(position).await;
            tables
                .change(&format!(
                    "INSERT INTO events
                     SELECT {size}, gen_random_uuid(), feed_id, feed_seq + 1, aggregate_type, aggregate_id,
                            sequence + 1, event_type, event_version, payload, metadata, recorded_at
                     FROM events WHERE position = {}",
                    size - 1
                ))
                .await;
            Mutation::new("an event less, and another at the end", &[CHANGED], Some(position))
        }
        6 => {
            tables.put_in(position).await;
            // The service goes on: it takes in what is new at the end.
            tables.rehash(size + 1).await;
            tables.sign(&tables.signer().await).await;
            Mutation::new("an event more", &[CHANGED], Some(position))
        }
        7 => {
            let position = tables.position(random, 2);
            tables.change(&format!("DELETE FROM events WHERE position >= {position}")).await;
            missing("the end is gone", position)
        }
        8 => {
            let position = tables.position(random, 2);
            tables.change(&format!("DELETE FROM events WHERE position >= {position}")).await;
            tables.change(&format!("DELETE FROM log_leaves WHERE position >= {position}")).await;
            tables.build().await;
            missing("the end is gone, with its leaves", position)
        }
        _ => {
            let older = "SELECT count(*) FROM log_checkpoints WHERE size < (SELECT max(size) FROM log_checkpoints)";
            let older = usize::try_from(tables.number(older).await).expect("a count");
            let older = random.below(older);
            let last = format!("SELECT size FROM log_checkpoints ORDER BY size OFFSET {older} LIMIT 1");
            let last = tables.number(&last).await;
            tables.change(&format!("DELETE FROM events WHERE position > {last}")).await;
            tables.change(&format!("DELETE FROM log_leaves WHERE position > {last}")).await;
            tables.change(&format!("DELETE FROM log_checkpoints WHERE size > {last}")).await;
            tables.build().await;
            let mutation =
                Mutation::new("all is rolled back to an older checkpoint", &["the log was rolled back"], None);
            Mutation { passes_alone: true, ..mutation }
        }
    }
}

/// Exchanges the places of an event and one of another feed; returns the first of the two positions.
async fn between_feeds(tables: &Tables, random: &mut Random, position: i64) -> i64 {
    let one = tables.place(position).await;
    let others = sqlx::query_scalar("SELECT position FROM events WHERE feed_id <> $1 ORDER BY position");
    let others: Vec<i64> = others.bind(one.feed_id).fetch_all(&tables.pool).await.expect("positions");
    let other = tables.place(others[random.below(others.len())]).await;
    for (feed_id, feed_seq, position) in [
        // Where nothing is, until the other one has made room.
        (one.feed_id, one.feed_seq + 1_000_000, one.position),
        (one.feed_id, one.feed_seq, other.position),
        (other.feed_id, other.feed_seq, one.position),
    ] {
        let place = format!("feed_id = '{feed_id}', feed_seq = {feed_seq}");
        tables.change(&format!("UPDATE events SET {place} WHERE position = {position}")).await;
    }
    one.position.min(other.position)
}
