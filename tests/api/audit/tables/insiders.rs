//! Insiders, who make the trees fit to what they have changed: without the key, with one of their own, with the log's.

use uuid::Uuid;
use workroom_proofs::{checkpoint::origin, note::Signer};

use super::{Mutation, NOT_SIGNED, Random, store::Tables};

pub(super) const KINDS: usize = 8;

/// The log has another beginning than the checkpoint that was kept.
const REWRITTEN: &str = "was changed since";

pub(super) async fn mutate(tables: &Tables, random: &mut Random, kind: usize) -> Mutation {
    let position = tables.harmless(random);
    let by_key = |what, says| Mutation { passes_alone: true, ..Mutation::new(what, says, None) };
    match kind {
        0 => {
            tables.lie(position).await;
            tables.rehash(position).await;
            Mutation::new("a lie, hashed", &[NOT_SIGNED], None)
        }
        1 => {
            let index = random.below(tables.harmless.len() - 1);
            let (one, other) = (tables.harmless[index], tables.harmless[index + 1]);
            swap_ids(tables, one, other).await;
            tables.rehash(one).await;
            Mutation::new("two events with each other's id, hashed", &[NOT_SIGNED], None)
        }
        2 => {
            let statement = "UPDATE log_leaves SET salt = substr(sha256(salt), 1, 16) WHERE position >=";
            tables.change(&format!("{statement} {position}")).await;
            tables.rehash(position).await;
            Mutation::new("other salts, hashed", &[NOT_SIGNED], None)
        }
        3 => own_key(tables, random, position).await,
        4 => {
            tables.lie(position).await;
            tables.rehash(position).await;
            tables.sign(&tables.signer().await).await;
            by_key("a lie, hashed and signed", &[REWRITTEN])
        }
        5 => {
            tables.take_away(position).await;
            tables.rehash(position).await;
            tables.sign(&tables.signer().await).await;
            by_key("an event less, hashed and signed", &["the log was rolled back"])
        }
        6 => {
            tables.put_in(position).await;
            tables.rehash(position).await;
            tables.sign(&tables.signer().await).await;
            by_key("an event more, hashed and signed", &[REWRITTEN])
        }
        _ => {
            // The service itself takes in and signs what somebody has put at the end of the log. Who was allowed to is
            // told by the rest of history.
            let stranger = format!("account:{}", Uuid::now_v7());
            let project = tables.project.to_string();
            let planted = crate::audit::plant(&tables.pool, &project, "ProjectUpdated", None, &stranger).await;
            tables.rehash(planted).await;
            tables.sign(&tables.signer().await).await;
            Mutation::new("a stranger's event at the end, signed", &["was not allowed"], Some(planted))
        }
    }
}

/// Exchanges the ids of two events.
async fn swap_ids(tables: &Tables, one: i64, other: i64) {
    let id = async |position: i64| {
        tables.text(&format!("SELECT event_id::text FROM events WHERE position = {position}")).await
    };
    let (its, others) = (id(one).await, id(other).await);
    for (id, position) in [(Uuid::now_v7().to_string(), one), (its, other), (others, one)] {
        tables.change(&format!("UPDATE events SET event_id = '{id}' WHERE position = {position}")).await;
    }
}

/// A lie, signed by another key that the service lists as its own; the old one is retired, or gone.
async fn own_key(tables: &Tables, random: &mut Random, position: i64) -> Mutation {
    let signer = Signer::from_seed(&origin(tables.log_id), &[7; 32]).expect("a key");
    tables.change("UPDATE log_signing_keys SET retired_at = now(), seed = NULL WHERE retired_at IS NULL").await;
    if random.below(2) == 0 {
        tables.change("DELETE FROM log_signing_keys").await;
    }
    let key = sqlx::query("INSERT INTO log_signing_keys (verifier, seed) VALUES ($1, $2)");
    let key = key.bind(signer.verifier().to_string()).bind(vec![7_u8; 32]);
    key.execute(&tables.pool).await.expect("a key");
    tables.lie(position).await;
    tables.rehash(position).await;
    tables.sign(&signer).await;
    // Who was given no key trusts those that have signed the checkpoint that was kept.
    let says = &["has signed it", "the older checkpoint is signed by no key in the file"];
    Mutation { with_keys: random.below(2) == 0, ..Mutation::new("a lie, signed by a key of one's own", says, None) }
}
