//! Leaves, nodes, epochs and checkpoints, while the events stay.

use uuid::Uuid;

use super::{
    CHANGED, MISSING, Mutation, NOT_SIGNED, Random,
    store::{Ask, Tables},
};

pub(super) const KINDS: usize = 17;

/// What the header says of epochs does not begin at the beginning.
const NO_EPOCH: &str = "the epochs in the header do not follow one another from the beginning";
/// The stored checkpoint is not what was signed: no export is signed with it.
const STORED: &str = "what is stored of the log tree does not read: the latest checkpoint";

/// An assignment that changes one byte of a column of so many.
fn flipped(random: &mut Random, column: &str, bytes: usize) -> String {
    let (at, mask) = (random.below(bytes), 1 + random.below(255));
    format!("{column} = set_byte({column}, {at}, get_byte({column}, {at}) # {mask})")
}

pub(super) async fn mutate(tables: &Tables, random: &mut Random, kind: usize) -> Mutation {
    if kind < 5 { leaves(tables, random, kind).await } else { above(tables, random, kind).await }
}

async fn leaves(tables: &Tables, random: &mut Random, kind: usize) -> Mutation {
    let position = tables.any(random);
    let is_of_project = tables.harmless.contains(&position);
    let ask = if is_of_project && random.below(2) == 0 { Ask::Project } else { Ask::All };
    match kind {
        0 => {
            let hash = flipped(random, "hash", 32);
            tables.change(&format!("UPDATE log_leaves SET {hash} WHERE position = {position}")).await;
            Mutation { ask, ..Mutation::new("another leaf", &[CHANGED], Some(position)) }
        }
        1 => {
            let salt = flipped(random, "salt", 16);
            tables.change(&format!("UPDATE log_leaves SET {salt} WHERE position = {position}")).await;
            Mutation { ask, ..Mutation::new("another salt", &[CHANGED], Some(position)) }
        }
        2 => {
            let position = tables.harmless(random);
            tables
                .change(&format!(
                    "UPDATE log_leaves l SET salt = NULL,
                            commitment = sha256(l.salt || convert_to(e.payload::text, 'UTF8'))
                     FROM events e WHERE e.position = l.position AND l.position = {position}"
                ))
                .await;
            let says = &["its payload was taken out, and what is left of it is no tombstone"];
            Mutation::new("a payload taken out by nobody", says, Some(position))
        }
        3 => {
            tables.change(&format!("DELETE FROM log_leaves WHERE position = {position}")).await;
            Mutation::new("a leaf less", &[MISSING], Some(position))
        }
        _ => {
            let position = position.min(tables.size - 1);
            let other = tables.position(random, position + 1);
            tables.swap("log_leaves", position, other).await;
            Mutation::new("two leaves in each other's place", &[CHANGED], Some(position))
        }
    }
}

/// What stands above the leaves.
async fn above(tables: &Tables, random: &mut Random, kind: usize) -> Mutation {
    let (size, log, project) = (tables.size, Uuid::nil(), tables.project);
    let last = format!("WHERE size = {size}");
    match kind {
        5 => {
            let hash = flipped(random, "hash", 32);
            tables.change(&format!("UPDATE log_nodes SET {hash} WHERE tree = '{log}'")).await;
            let ask = Ask::Behind(tables.position(random, 256));
            Mutation { ask, ..Mutation::new("another node of the log", &[NOT_SIGNED], None) }
        }
        6 => {
            tables.change(&format!("DELETE FROM log_nodes WHERE tree = '{log}'")).await;
            let ask = Ask::Behind(tables.position(random, 256));
            let says = &["the tree does not hold what was asked for"];
            Mutation { ask, ..Mutation::new("a node of the log less", says, None) }
        }
        7 => {
            let hash = flipped(random, "hash", 32);
            tables.change(&format!("UPDATE log_nodes SET {hash} WHERE tree = '{project}'")).await;
            let says = &["are not those that were signed: at least one was changed"];
            Mutation { ask: Ask::Project, ..Mutation::new("another node of a feed", says, None) }
        }
        8 => {
            tables.change("UPDATE log_tree_epochs SET epoch = gen_random_uuid()").await;
            Mutation::new("another epoch", &[CHANGED], Some(1))
        }
        9 => {
            let first = tables.position(random, 2);
            tables.change(&format!("UPDATE log_tree_epochs SET first_position = {first}")).await;
            Mutation::new("an epoch that begins later", &[NO_EPOCH], None)
        }
        10 => {
            let first = tables.position(random, 2);
            tables.change(&format!("INSERT INTO log_tree_epochs VALUES ({first}, gen_random_uuid())")).await;
            Mutation::new("an epoch more", &[CHANGED], Some(first))
        }
        11 => {
            tables.change("DELETE FROM log_tree_epochs").await;
            Mutation::new("no epoch", &[NO_EPOCH], None)
        }
        12 => {
            let older = format!("SELECT note FROM log_checkpoints WHERE size < {size} ORDER BY size DESC LIMIT 1");
            tables.change(&format!("UPDATE log_checkpoints SET note = ({older}) {last}")).await;
            Mutation::new("an older checkpoint instead", &[STORED], None)
        }
        13 => {
            let root = flipped(random, "root", 32);
            tables.change(&format!("UPDATE log_checkpoints SET {root} {last}")).await;
            Mutation::new("another root", &[STORED], None)
        }
        14 => {
            note(tables, random, &last).await;
            Mutation::new("a character of the checkpoint", &[STORED], None)
        }
        15 => {
            tables.change(&format!("UPDATE log_checkpoints SET size = size + 1 {last}")).await;
            Mutation::new("a checkpoint of more than there is", &[STORED], None)
        }
        _ => {
            tables.change("UPDATE log_identity SET log_id = gen_random_uuid()").await;
            Mutation::new("another log", &[STORED], None)
        }
    }
}

/// Changes a letter or a digit of the last checkpoint's note.
async fn note(tables: &Tables, random: &mut Random, last: &str) {
    let mut note = tables.text(&format!("SELECT note FROM log_checkpoints {last}")).await.into_bytes();
    let places: Vec<usize> = (0..note.len()).filter(|at| note[*at].is_ascii_alphanumeric()).collect();
    let at = places[random.below(places.len())];
    let others: Vec<u8> = (b'a'..=b'z').chain(b'0'..=b'9').filter(|other| *other != note[at]).collect();
    note[at] = others[random.below(others.len())];
    let statement = format!("UPDATE log_checkpoints SET note = $1 {last}");
    let edit = sqlx::query(&statement).bind(String::from_utf8(note).expect("a text"));
    edit.execute(&tables.pool).await.expect("an edited note");
}
