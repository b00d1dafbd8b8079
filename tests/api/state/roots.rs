//! The roots that states and differences are of, against the leaves of the events, as exports and proofs tell them.

use serde_json::{Value, json};
use workroom_proofs::{frontier::Frontier, hash::Hash, tree::verify_inclusion};

use crate::support::{Person, World};

fn hash(value: &Value) -> Hash {
    value.as_str().and_then(Hash::from_base64).expect("a hash")
}

/// The root of each beginning of a project's history: of its first event, of its first two, and so on. From the leaves that an
/// export has.
async fn roots(ada: &Person, project: &str) -> Vec<String> {
    let export = ada.get(&format!("/projects/{project}/events/export")).await.is(200).text;
    let mut tree = Frontier::new();
    let mut roots = Vec::new();
    for line in export.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        if line["feedid"] == project {
            tree.push(hash(&line["leaf"]));
            assert_eq!(line["feedseq"], tree.size().to_string());
            roots.push(tree.root().to_base64());
        }
    }
    roots
}

/// The root that is told of a moment, which must be this one.
#[track_caller]
fn assert_root(moment: &Value, roots: &[String]) {
    let seq = moment["seq"].as_u64().and_then(|seq| usize::try_from(seq).ok()).expect("a place");
    assert_eq!(moment["feed_root"], roots[seq - 1], "place {seq}");
}

#[tokio::test(flavor = "multi_thread")]
async fn states_and_differences_name_the_roots_of_the_events_by_then() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    for number in 0..4 {
        ada.post(&format!("{path}/tasks"), json!({"title": format!("Task {number}")})).await.is(201);
        // A history of another project lies between, in the log.
        ada.project("Another").await;
    }
    let before = roots(&ada, &project).await;
    assert_eq!(before.len(), 6);
    let pairs = [(1, 6), (6, 1), (2, 5), (4, 4), (3, 4)];
    let compare = async |roots: &[String]| {
        for (from, to) in pairs {
            let diff = ada.get(&format!("{path}/diff?from={from}&to={to}")).await.is(200).json;
            assert_eq!((&diff["from"]["seq"], &diff["to"]["seq"]), (&json!(from), &json!(to)));
            assert_root(&diff["from"], roots);
            assert_root(&diff["to"], roots);
        }
        for seq in 1..=6 {
            assert_root(&ada.get(&format!("{path}/state?as_of={seq}")).await.is(200).json, roots);
        }
    };
    compare(&before).await;

    // What is redacted leaves the roots as they are, and those who have read are in the tree.
    ada.post(&format!("{path}/events/4/redact"), json!({"reason": "by mistake"})).await.is(201);
    let now = ada.get(&format!("{path}/state")).await.is(200).json;
    let diff = ada.get(&format!("{path}/diff")).await.is(200).json;
    let after = roots(&ada, &project).await;
    assert_eq!(after[..before.len()], before);
    assert_root(&now, &after);
    assert_root(&diff["from"], &after);
    assert_root(&diff["to"], &after);
    compare(&after).await;

    // The same by the proof of each event: its leaf is in the tree that the state is of.
    for seq in 1..=6 {
        let proof = ada.get(&format!("{path}/events/{seq}/proof")).await.is(200).json;
        let leaf = Hash::leaf(proof["entry"].as_str().expect("an entry").as_bytes());
        assert_eq!(leaf, hash(&proof["leaf_hash"]));
        let hashes: Vec<Hash> = proof["feed"]["hashes"].as_array().expect("hashes").iter().map(hash).collect();
        let [index, size] = ["index", "size"].map(|name| proof["feed"][name].as_u64().expect("a number"));
        assert_eq!(index, seq - 1);
        let state = ada.get(&format!("{path}/state?as_of={size}")).await.is(200).json;
        let root = hash(&state["feed_root"]);
        assert!(verify_inclusion(&leaf, index, size, &hashes, &root), "{proof}");
        assert!(!verify_inclusion(&leaf, index, size, &hashes, &hash(&diff["from"]["feed_root"])), "another root");
    }
}
