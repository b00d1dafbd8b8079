//! One field of one event.

use serde_json::Value;

use super::{
    CHANGED, MISPLACED, Mutation, Random,
    store::{Ask, Tables},
};

pub(super) const KINDS: usize = 12;

/// A JSON text with one character changed, so that it still is one. What is escaped stays so.
fn edited(random: &mut Random, text: &str) -> String {
    const OTHERS: &[u8] = b" 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,:-_";
    loop {
        let mut bytes = text.as_bytes().to_vec();
        let at = 1 + random.below(bytes.len() - 2);
        let other = OTHERS[random.below(OTHERS.len())];
        let is_plain = bytes[at].is_ascii() && bytes[at] != b'\\' && bytes[at - 1] != b'\\' && bytes[at] != other;
        bytes[at] = other;
        // A space is a change, too: bytes are hashed.
        if is_plain
            && let Ok(edited) = String::from_utf8(bytes)
            && serde_json::from_str::<Value>(&edited).is_ok()
        {
            return edited;
        }
    }
}

pub(super) async fn mutate(tables: &Tables, random: &mut Random, kind: usize) -> Mutation {
    let position = tables.any(random);
    let is_harmless = tables.harmless.contains(&position);
    let edit = async |random: &mut Random, column: &str| {
        let text = tables.text(&format!("SELECT {column}::text FROM events WHERE position = {position}")).await;
        let statement = format!("UPDATE events SET {column} = $1::json WHERE position = {position}");
        let edit = sqlx::query(&statement).bind(edited(random, &text));
        edit.execute(&tables.pool).await.expect("an edited event");
    };
    let set = async |assignment: &str| {
        tables.change(&format!("UPDATE events SET {assignment} WHERE position = {position}")).await;
    };
    let at = Some(position);
    let changed = |what| Mutation::new(what, &[CHANGED], at);
    let misplaced = |what| Mutation::new(what, MISPLACED, at);
    // The export of the project alone has to show what is in it.
    let ask = if is_harmless && random.below(2) == 0 { Ask::Project } else { Ask::All };
    match kind {
        0 => {
            edit(random, "payload").await;
            Mutation { ask, ..changed("a byte of a payload") }
        }
        1 => {
            edit(random, "metadata").await;
            changed("a byte of metadata")
        }
        2 => {
            let actor = format!("account:{}", uuid::Uuid::now_v7());
            set(&format!("metadata = jsonb_set(metadata::jsonb, '{{actor}}', to_jsonb('{actor}'::text))::json")).await;
            changed("another actor")
        }
        3 => {
            set("event_type = event_type || 'd'").await;
            Mutation { ask, ..changed("another type") }
        }
        4 => {
            let sign = if random.below(2) == 0 { '-' } else { '+' };
            let far = [1, 1_000, 3_600_000_000, 86_400_000_000][random.below(4)] + random.below(1_000_000);
            set(&format!("recorded_at = recorded_at {sign} {far} * interval '1 microsecond'")).await;
            Mutation { ask, ..misplaced("another time") }
        }
        5 => {
            set("event_id = gen_random_uuid()").await;
            Mutation { ask, ..changed("another id") }
        }
        6 => {
            set("aggregate_id = gen_random_uuid()::text").await;
            misplaced("another aggregate")
        }
        7 => {
            set("aggregate_type = aggregate_type || 's'").await;
            misplaced("another type of aggregate")
        }
        8 => {
            set("sequence = sequence + 1000000").await;
            misplaced("another place in the stream")
        }
        9 => {
            set("feed_seq = feed_seq + 1000000").await;
            misplaced("another place in the feed")
        }
        10 => {
            set("feed_id = gen_random_uuid()").await;
            misplaced("another feed")
        }
        _ => {
            set("event_version = event_version || '0'").await;
            Mutation { ask, ..changed("another version") }
        }
    }
}
