//! The worked case of `docs/auditing.md`: somebody lost access; who did it, and was it allowed?

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use workroom_proofs::{
    checkpoint::Checkpoint,
    hash::Hash,
    note::{self, Verifier},
    tree,
};

use crate::support::{World, eventually};

const SECOND_VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/verify/verify.mjs");

/// Whether the members of a state are these.
fn has_members(state: &Value, expected: &[&str]) -> bool {
    let mut members: Vec<_> = state["members"]
        .as_array()
        .expect("members")
        .iter()
        .map(|member| member["user_id"].as_str().unwrap())
        .collect();
    let mut expected = expected.to_vec();
    members.sort_unstable();
    expected.sort_unstable();
    members == expected
}

/// Insists that a proof leads from its leaf to a root that this key has signed.
fn assert_included(proof: &Value, part: &str, key: &Verifier) {
    let hash = |value: &Value| Hash::from_base64(value.as_str().expect("a hash")).expect("a hash");
    let number = |name: &str| proof[part][name].as_u64().expect("a number");
    let leaf = Hash::leaf(proof["entry"].as_str().expect("an entry").as_bytes());
    assert_eq!(leaf, hash(&proof["leaf_hash"]));
    let signed = proof[part]["checkpoint"].as_str().expect("a checkpoint");
    let signed: Checkpoint =
        note::open(signed, std::slice::from_ref(key)).expect("a signature").parse().expect("a checkpoint");
    let path: Vec<Hash> = proof[part]["hashes"].as_array().expect("hashes").iter().map(hash).collect();
    assert_eq!(signed.size, number("size"));
    assert!(tree::verify_inclusion(&leaf, number("index"), number("size"), &path, &signed.root), "{part}: {proof}");
}

/// What the second verifier says of a file.
fn second_verifier(file: &Path, key: &str) -> (bool, String) {
    let output = Command::new("node").arg(SECOND_VERIFIER).arg(file).args(["--key", key]).output().expect("node");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_took_somebody_elses_access_can_be_proven_on_a_laptop() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    // Long before: an auditor keeps the key, and a checkpoint.
    let before = eventually_kept(&ada).await;
    let key = server.client().get("/log/keys").await.is(200).items()[0]["verifier"].clone();
    let key = key.as_str().expect("a key");
    let verifier: Verifier = key.parse().expect("a key");
    let size = before.lines().nth(1).expect("a size");

    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let path = format!("/projects/{project}");
    grace.patch(&path, json!({"description": "The moon."})).await.is(200);
    ada.delete(&format!("{path}/members/{}", grace.id)).await.is(204);
    grace.get(&path).await.problem(404);

    // 1. The event.
    let found = ada.get(&format!("{path}/events?type=MemberRemoved&from=2020-01-01T00:00:00Z")).await.is(200);
    let [removed] = found.items().as_slice() else { panic!("one: {}", found.text) };
    assert_eq!((&removed["data"]["account_id"], &removed["actor"]), (&json!(grace.id), &json!(ada.id)));
    assert_eq!((&removed["actor_name"], &removed["actor_status"]), (&json!("ada"), &json!("active")));
    let seq = removed["seq"].as_i64().expect("a place");
    assert_eq!(&ada.get(&format!("{path}/events/{seq}")).await.is(200).json, removed);

    // 2. What it changed.
    let state = async |seq: i64| ada.get(&format!("{path}/state?as_of={seq}")).await.is(200).json;
    let (earlier, later) = (state(seq - 1).await, state(seq).await);
    assert_eq!((&earlier["seq"], &later["seq"]), (&json!(seq - 1), &json!(seq)));
    assert!(has_members(&earlier, &[&ada.id, &grace.id]), "{earlier}");
    assert!(has_members(&later, &[&ada.id]), "{later}");
    let diff = ada.get(&format!("{path}/diff?from={}&to={seq}", seq - 1)).await.is(200).json;
    let changes = diff["changes"].as_array().expect("changes");
    let gone = changes.iter().find(|change| change["kind"] == "member" && change["id"] == grace.id.as_str());
    assert_eq!(gone.expect("a change")["change"], "deleted", "{diff}");

    // 3. Its proof.
    let proof = ada.get(&format!("{path}/events/{seq}/proof")).await.is(200).json;
    assert_eq!((&proof["position"], &proof["seq"]), (&removed["position"], &removed["seq"]));
    for part in ["log", "feed"] {
        assert_included(&proof, part, &verifier);
    }
    // The state that was read belongs to the same tree.
    let places = proof["feed"]["size"].as_i64().expect("a size");
    let signed = proof["feed"]["checkpoint"].as_str().and_then(|note| note.lines().nth(2)).expect("a root");
    assert_eq!(state(places).await["feed_root"], signed);

    // 4. The file that is handed over.
    let export = ada.get(&format!("{path}/events/export?consistency_from={size}")).await.is(200).text;
    let folder = tempfile::tempdir().expect("a folder");
    let (file, kept) = (folder.path().join("project.ndjson"), folder.path().join("kept.txt"));
    std::fs::write(&file, &export).expect("a file");
    std::fs::write(&kept, &before).expect("a file");
    let name = |path: &Path| path.to_str().expect("a name").to_owned();

    // 5. What the expert does with it.
    let (holds, text) =
        world.command(&["audit", "verify", &name(&file), "--key", key, "--checkpoint", &name(&kept)]).await;
    assert!(holds, "{text}");
    let (holds, text) = second_verifier(&file, key);
    assert!(holds, "{text}");
    let line = export.lines().find(|line| line.contains(r#""type":"MemberRemoved""#)).expect("the event's line");
    let told: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&told["id"], &told["data"]["account_id"]), (&removed["event_id"], &json!(grace.id)));

    // Somebody would rather have had another one removed.
    let forged = folder.path().join("forged.ndjson");
    std::fs::write(&forged, export.replace(line, &line.replace(&grace.id, &ada.id))).expect("a file");
    let (holds, text) = world.command(&["audit", "verify", &name(&forged), "--key", key]).await;
    assert!(!holds && text.contains(&removed["position"].to_string()), "{text}");
    let (holds, text) = second_verifier(&forged, key);
    assert!(!holds && text.contains(&removed["position"].to_string()), "{text}");
}

/// The first checkpoint that there is.
async fn eventually_kept(client: &crate::support::Client) -> String {
    eventually("a checkpoint is signed", async || client.get("/log/checkpoint").await.status == 200).await;
    client.get("/log/checkpoint").await.is(200).text
}
