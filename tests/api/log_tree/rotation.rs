//! `workroom log-keys`

use std::time::Duration;

use tokio::process::Command;
use workroom_proofs::note;

use super::{change, covering, opened, verifiers};
use crate::{cli::process, support::World};

const SECOND_VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/verify/verify.mjs");

/// Insists that both verifiers end with this code, and say all of this.
async fn both_say(file: &str, arguments: &[&str], code: i32, said: &[&str]) {
    let first = process::command(&[&["audit", "verify", file][..], arguments].concat());
    let mut second = Command::new("node");
    second.arg(SECOND_VERIFIER).arg(file).args(arguments);
    for command in [first, second] {
        let output = process::run(command, Duration::from_secs(60)).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(said.iter().all(|said| text.contains(said)), "{arguments:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_old_checkpoints_verify_and_new_ones_are_signed_by_the_new_key() {
    let world = World::new().await;
    let server = world.server().await;
    let (client, ada) = (server.client(), server.person("ada").await);
    let project = ada.project("Apollo").await;
    let (before, old) = covering(&client, change(&ada, &project, "before").await).await;
    let old_keys = verifiers(&client).await;
    assert_eq!(old_keys.len(), 1);
    let (done, printed) = world.command(&["log-keys", "rotate"]).await;
    assert!(done && printed.contains("current") && printed.contains("old"), "{printed}");
    let (after, new) = covering(&client, change(&ada, &project, "after").await).await;
    let keys = verifiers(&client).await;
    assert_eq!((keys.len(), &keys[1]), (2, &old_keys[0]), "the one that signs comes first");
    assert!(after.size > before.size);
    assert_eq!(opened(&old.text, &keys), before);
    assert_eq!(opened(&new.text, &keys[..1]), after);
    assert!(note::open(&new.text, &old_keys).is_err() && note::open(&old.text, &keys[..1]).is_err());
    let listed = client.get("/log/keys").await.is(200).json;
    assert!(listed["items"][0]["retired_at"].is_null() && listed["items"][1]["retired_at"].is_string(), "{listed}");
    let secret = sqlx::query_scalar("SELECT count(*) FROM log_signing_keys WHERE seed IS NOT NULL");
    let secrets: i64 = secret.fetch_one(&world.pool().await).await.expect("a count");
    assert_eq!(secrets, 1);

    // An export goes on from the checkpoint that was kept for who has both keys. Who has none is told that there are two.
    let export = format!("/projects/{project}/events/export?consistency_from={}", before.size);
    let export = ada.get(&export).await.is(200).text;
    let folder = tempfile::tempdir().expect("a folder");
    let [file, kept] = [("export.ndjson", &export), ("kept", &old.text)].map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    });
    let [new_key, old_key] = [&keys[0], &keys[1]].map(ToString::to_string);
    let all = ["--key", &new_key, "--key", &old_key, "--checkpoint", &kept];
    let signer = format!("{}+{:08x}", keys[0].name(), keys[0].key_id());
    both_say(&file, &all, 0, &[&signer]).await;
    both_say(&file, &[], 0, &["the file's own"]).await;
    let what_to_do = "give the current key first and the retired one after it";
    let another = ["the file is signed by another key than the older checkpoint: ", what_to_do];
    both_say(&file, &all[4..], 1, &another).await;
    // The retired key has signed what was kept, and nothing else: it comes last, and neither of them is enough alone.
    let another = ["the file is signed by another key than the first one given: ", what_to_do];
    both_say(&file, &["--key", &old_key, "--key", &new_key, "--checkpoint", &kept], 1, &another).await;
    both_say(&file, &["--key", &old_key, "--checkpoint", &kept], 1, &another).await;
    let another = ["the older checkpoint is signed by another key than those given: ", what_to_do];
    both_say(&file, &["--key", &new_key, "--checkpoint", &kept], 1, &another).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_after_a_rotation_is_signed_by_the_new_key_though_nothing_has_happened_since() {
    let world = World::new().await;
    let server = world.server().await;
    let (client, ada) = (server.client(), server.person("ada").await);
    let project = ada.project("Apollo").await;
    covering(&client, change(&ada, &project, "before").await).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.ndjson").to_str().expect("a path").to_owned();
    let pool = world.pool().await;
    let last: i64 = sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&pool).await.expect("a position");
    let (kept, note) = covering(&client, last).await;
    let (done, printed) = world.command(&["log-keys", "rotate"]).await;
    assert!(done, "{printed}");
    let keys = verifiers(&client).await;
    let (done, printed) = world.command(&["audit", "export", "--all", "--unnoted", "--output", &file]).await;
    assert!(done, "{printed}");
    let (latest, latest_note) = covering(&client, last).await;
    assert_eq!((latest.size, &latest_note.text), (kept.size, &note.text), "nothing was signed since");
    let (new_key, old_key) = (keys[0].to_string(), keys[1].to_string());
    let signer = format!("{}+{:08x}", keys[0].name(), keys[0].key_id());
    both_say(&file, &["--key", &new_key], 0, &[&signer]).await;
    let another = ["the file is signed by another key than the first one given: "];
    both_say(&file, &["--key", &old_key], 1, &another).await;
}
