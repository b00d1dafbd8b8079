//! The tree over the log: whoever has the keys can check what was signed, with nothing but the crate of proofs.

mod feed_ends;
mod folder;
mod leaders;
mod proofs;
mod rotation;
mod thinning;

use serde_json::Value;
use uuid::Uuid;
use workroom_proofs::{
    checkpoint::{self, Checkpoint},
    frontier::Frontier,
    hash::Hash,
    note::{self, Verifier},
    tile::{Tile, WIDTH},
};

use crate::support::{Client, Person, Reply, eventually};

/// What verifies the signatures of the log.
pub async fn verifiers(client: &Client) -> Vec<Verifier> {
    let keys = client.get("/log/keys").await.is(200);
    let verifier = |key: &Value| key["verifier"].as_str().expect("a verifier").parse().expect("a key");
    keys.items().iter().map(verifier).collect()
}

/// A checkpoint, if its signature holds.
pub fn opened(text: &str, verifiers: &[Verifier]) -> Checkpoint {
    note::open(text, verifiers).expect("a signature of the log's").parse().expect("a checkpoint")
}

/// Waits until a checkpoint covers this position; returns it with its note.
pub async fn covering(client: &Client, position: i64) -> (Checkpoint, Reply) {
    let verifiers = verifiers(client).await;
    let signed = async || {
        let reply = client.get("/log/checkpoint").await;
        (reply.status == 200).then(|| (opened(&reply.text, &verifiers), reply))
    };
    let covers = |size: u64| i64::try_from(size).expect("a size") >= position;
    let is_covered = async || signed().await.is_some_and(|(checkpoint, _)| covers(checkpoint.size));
    eventually("the event is signed", is_covered).await;
    signed().await.expect("a checkpoint")
}

/// A tile's hashes.
pub async fn tile(client: &Client, tile: &Tile) -> Vec<Hash> {
    let address = format!("http://{}/api/v1/log/tile/{tile}", client.address());
    let reply = reqwest::get(address).await.expect("a reply");
    assert_eq!(reply.status(), 200, "{tile}");
    let octets = reply.bytes().await.expect("octets");
    octets.chunks(32).map(|hash| Hash::from_slice(hash).expect("a hash")).collect()
}

/// The root over the leaves that are served in tiles.
pub async fn root_of_tiles(client: &Client, size: u64) -> Hash {
    let mut frontier = Frontier::new();
    for index in 0..size.div_ceil(WIDTH) {
        let width = u16::try_from((size - index * WIDTH).min(WIDTH)).expect("a width");
        let hashes = tile(client, &Tile { level: 0, index, width }).await;
        assert_eq!(hashes.len(), usize::from(width));
        hashes.into_iter().for_each(|leaf| frontier.push(leaf));
    }
    frontier.root()
}

/// Changes a project's description; returns the position of the event.
pub async fn change(person: &Person, project: &str, description: &str) -> i64 {
    let body = serde_json::json!({"description": description});
    person.patch(&format!("/projects/{project}"), body).await.is(200).position()
}

/// Which log a checkpoint is of.
pub fn log_id(checkpoint: &Checkpoint) -> Uuid {
    let id = checkpoint.origin.strip_prefix("workroom/").expect("the origin of a log");
    let id = id.parse().expect("an id");
    assert_eq!(checkpoint.origin, checkpoint::origin(id));
    id
}
