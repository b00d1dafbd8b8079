//! Mutations of the tables themselves, by somebody who may write anything: each is refused by the exporter, or found in
//! what it exports by whoever kept the last checkpoint.

mod history;
mod insiders;
mod rows;
mod store;
mod trees;

use std::collections::BTreeMap;

use super::verifiers::Random;
use crate::support::World;
use store::{Ask, Refusal, Tables};

/// Mutations of the test.
const MUTATIONS: usize = 60;
/// Mutations of the drill.
const MUTATIONS_OF_DRILL: usize = 2000;

/// Something of an event, which its leaf tells.
const CHANGED: &str = "it is not what was hashed";
/// An event has another place than it had.
const MISPLACED: &[&str] =
    &[CHANGED, "its feed has a gap", "it does not follow in the stream", "it was recorded before the event"];
/// There is nothing to export at a position.
const MISSING: &str = "it, or its leaf, is missing";
/// The tree is not the one that was signed.
const NOT_SIGNED: &str = "what is in the file is not the log that was signed";

/// What was done to the tables, and what has to be said of it.
struct Mutation {
    what: &'static str,
    /// The export that has to show it.
    ask: Ask,
    /// What has to be said: one of these.
    says: &'static [&'static str],
    /// At which position.
    at: Option<i64>,
    /// Whether the keys are given, as the service told them when the checkpoint was kept.
    with_keys: bool,
    /// Whether only the checkpoint that was kept shows it: whoever did it had the key.
    passes_alone: bool,
}

impl Mutation {
    /// Seen in an export of everything.
    fn new(what: &'static str, says: &'static [&'static str], at: Option<i64>) -> Self {
        Self { what, ask: Ask::All, says, at, with_keys: true, passes_alone: false }
    }

    fn is_said(&self, Refusal { why, position }: &Refusal) -> bool {
        self.says.iter().any(|sentence| why.contains(sentence)) && *position == self.at
    }
}

const KINDS: usize = rows::KINDS + history::KINDS + trees::KINDS + insiders::KINDS;

/// Does something of this kind to the tables.
async fn mutate(tables: &Tables, random: &mut Random, mut kind: usize) -> Mutation {
    if kind < rows::KINDS {
        return rows::mutate(tables, random, kind).await;
    }
    kind -= rows::KINDS;
    if kind < history::KINDS {
        return history::mutate(tables, random, kind).await;
    }
    kind -= history::KINDS;
    if kind < trees::KINDS {
        return trees::mutate(tables, random, kind).await;
    }
    insiders::mutate(tables, random, kind - trees::KINDS).await
}

/// Mutates the tables so often, each time as they were at first.
async fn each_is_found(count: usize) {
    let world = World::new().await;
    let tables = Tables::of(&world).await;
    let unchanged = tables.exported(Ask::All).await.expect("an export");
    for ask in [Ask::All, Ask::Behind(tables.size / 2), Ask::Project] {
        tables.verdict(ask, true, true).await.expect("an unchanged log passes");
    }
    let mut random = Random::from_environment();
    let (mut found, mut wrong) = (BTreeMap::<_, usize>::new(), Vec::new());
    for number in 0..count {
        tables.run("BEGIN").await;
        let mutation = mutate(&tables, &mut random, number % KINDS).await;
        let Mutation { what, ask, with_keys, passes_alone, .. } = mutation;
        match tables.verdict(ask, with_keys, true).await {
            Err(refusal) if mutation.is_said(&refusal) => *found.entry(what).or_default() += 1,
            said => wrong.push(format!("{number}, {what}: {:?} at {:?}, and not {said:?}", mutation.says, mutation.at)),
        }
        if passes_alone && let Err(refusal) = tables.verdict(ask, with_keys, false).await {
            wrong.push(format!("{number}, {what}: it was done with the key, and yet {refusal:?}"));
        }
        tables.run("ROLLBACK").await;
    }
    eprintln!("found: {found:#?}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(found.len(), KINDS.min(count), "each kind is there, under a name of its own");
    tables.verdict(Ask::All, true, true).await.expect("what is unchanged again passes");
    let again = tables.exported(Ask::All).await.expect("an export");
    // All but the header, which tells the time.
    let events = |export: &[u8]| {
        let header = export.iter().position(|byte| *byte == b'\n').expect("a header");
        export[header..].to_vec()
    };
    assert!(events(&unchanged) == events(&again), "the tables are what they were");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_in_the_tables_is_found_by_who_kept_a_checkpoint() {
    each_is_found(MUTATIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long drill"]
async fn drill_mutations_of_the_tables() {
    each_is_found(MUTATIONS_OF_DRILL).await;
}
