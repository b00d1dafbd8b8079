//! Checkpoints, tiles and proofs.

use serde_json::{Value, json};
use workroom_proofs::{checkpoint, entry, hash::Hash, tile::Tile, tree};

use super::{change, covering, log_id, opened, root_of_tiles, tile, verifiers};
use crate::support::{Client, World};

fn hashes(value: &Value) -> Vec<Hash> {
    let texts = value.as_array().expect("hashes").iter();
    texts.map(|text| Hash::from_base64(text.as_str().expect("a text")).expect("a hash")).collect()
}

/// Checks one of the two inclusions of a proof; returns the origin that was signed.
async fn included(client: &Client, leaf: &Hash, inclusion: &Value) -> String {
    let signed = opened(inclusion["checkpoint"].as_str().expect("a note"), &verifiers(client).await);
    let [index, size] = ["index", "size"].map(|name| inclusion[name].as_u64().expect("a number"));
    assert_eq!(signed.size, size);
    let path = hashes(&inclusion["hashes"]);
    assert!(tree::verify_inclusion(leaf, index, size, &path, &signed.root), "{inclusion}");
    assert!(!tree::verify_inclusion(&Hash::EMPTY, index, size, &path, &signed.root));
    signed.origin
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_covers_what_was_just_written_and_tiles_hash_to_its_root() {
    let world = World::new().await;
    let server = world.server().await;
    let (client, ada) = (server.client(), server.person("ada").await);
    let project = ada.project("Apollo").await;
    let position = change(&ada, &project, "first").await;
    let (first, reply) = covering(&client, position).await;
    assert_eq!(reply.header("cache-control"), "no-cache");
    let known = client.with_header("if-none-match", reply.header("etag"));
    // Nothing else is written meanwhile, or there is a newer one.
    assert!([200, 304].contains(&known.get("/log/checkpoint").await.status));
    assert_eq!(root_of_tiles(&client, first.size).await, first.root);

    let mut position = 0;
    for number in 0..300 {
        position = change(&ada, &project, &format!("{number}")).await;
    }
    let (second, _) = covering(&client, position).await;
    assert_eq!((log_id(&first), second.size > 256), (log_id(&second), true));
    assert_eq!(root_of_tiles(&client, second.size).await, second.root);
    let above = tile(&client, &Tile { level: 1, index: 0, width: 1 }).await;
    let mut frontier = workroom_proofs::frontier::Frontier::new();
    let leaves = tile(&client, &Tile { level: 0, index: 0, width: 256 }).await;
    leaves.into_iter().for_each(|leaf| frontier.push(leaf));
    assert_eq!(above, [frontier.root()]);
    let full = client.get("/log/tile/0/000").await.is(200);
    assert!(full.header("cache-control").contains("immutable"));
    // Its last hash would be the one behind the greatest number.
    client.get("/log/tile/0/x072/x057/x594/x037/x927/935").await.problem(404);
    for absent in ["0/999", "0/000.p/0", "0/000.p/256", "0/0", "9/000", "x/000", "0/x000/000", "1/000"] {
        client.get(&format!("/log/tile/{absent}")).await.problem(404);
    }

    let path = format!("/log/consistency?from={}&to={}", first.size, second.size);
    let proof = client.get(&path).await.is(200).json;
    let path = hashes(&proof["hashes"]);
    assert!(tree::verify_consistency(first.size, &first.root, second.size, &second.root, &path));
    assert!(!tree::verify_consistency(first.size, &second.root, second.size, &second.root, &path));
    client.get("/log/consistency?from=0&to=1").await.refused_field("/from", "out-of-range");
    client.get("/log/consistency?from=1&to=1000000").await.refused_field("/to", "out-of-range");
    client.get("/log/consistency?from=1").await.problem(422);

    // What no checkpoint covers is not shown: it may still be lost, and grow again as something else.
    let pool = world.pool().await;
    let place = |size: u64| i64::try_from(size).expect("a size");
    let latest: i64 =
        sqlx::query_scalar("SELECT max(size) FROM log_checkpoints").fetch_one(&pool).await.expect("a size");
    sqlx::query("DELETE FROM log_checkpoints WHERE size > $1")
        .bind(place(first.size))
        .execute(&pool)
        .await
        .expect("older checkpoints");
    assert!(latest >= place(second.size) && first.size < 256);
    client.get("/log/tile/0/000").await.problem(404);
    client.get("/log/tile/1/000.p/1").await.problem(404);
    client.get(&format!("/log/tile/0/000.p/{}", first.size + 1)).await.problem(404);
    client.get(&format!("/log/tile/0/000.p/{}", first.size)).await.is(200);
    let path = format!("/log/consistency?from={}&to={}", first.size, first.size + 1);
    client.get(&path).await.refused_field("/to", "out-of-range");
}

/// Checks the proof of an event of the feed whose history is read here; returns the proof.
async fn proven(client: &Client, history: &str, feed_id: &str, event: &Value) -> Value {
    let proof = client.get(&format!("{history}/{}/proof", event["seq"])).await.is(200).json;
    assert_eq!((&proof["position"], &proof["seq"]), (&event["position"], &event["seq"]));
    let text = proof["entry"].as_str().expect("an entry");
    assert!(text.starts_with("workroom.event/1\n") && text.contains(feed_id) && !text.contains("secret"), "{text}");
    let leaf = Hash::leaf(text.as_bytes());
    assert_eq!(proof["leaf_hash"], leaf.to_base64());
    let origin = included(client, &leaf, &proof["log"]).await;
    let log_id = origin.strip_prefix("workroom/").expect("an origin").parse().expect("an id");
    let feed = included(client, &leaf, &proof["feed"]).await;
    assert_eq!(feed, checkpoint::feed_origin(log_id, feed_id.parse().expect("an id")));
    let place = |part: &str| proof[part]["index"].as_i64().map(|index| index + 1);
    assert_eq!((place("log"), place("feed")), (event["position"].as_i64(), event["seq"].as_i64()));
    proof
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_of_a_feed_is_proven_in_both_trees() {
    let world = World::new().await;
    let server = world.server().await;
    let (client, ada, eve) = (server.client(), server.person("ada").await, server.person("eve").await);
    let body = json!({"name": "Apollo", "is_public": true});
    let project = ada.post("/projects", body).await.is(201).id();
    change(&ada, &project, "the secret of the description").await;
    let events = ada.history(&project).await;
    let history = format!("/projects/{project}/events");
    for event in &events {
        let proof = proven(&ada, &history, &project, event).await;
        // A proof tells nothing that a visitor may not know.
        let seen = eve.get(&format!("{history}/{}/proof", event["seq"])).await.is(200).json;
        assert_eq!(seen["leaf_hash"], proof["leaf_hash"]);
    }
    ada.get(&format!("/projects/{project}/events/{}/proof", events.len() + 1)).await.problem(404);
    ada.get(&format!("/projects/{project}/events/0/proof")).await.problem(404);
    let acme = crate::organizations::organization(&ada, "Acme of the secret").await;
    crate::organizations::add(&ada, &acme, &eve, "member").await;
    for (history, feed_id) in [(&format!("/organizations/{acme}/events")[..], &acme), ("/auth/me/events", &ada.id)] {
        let events = ada.get(history).await.is(200).items().clone();
        assert!(events.len() > 1, "{events:?}");
        for event in &events {
            proven(&ada, history, feed_id, event).await;
        }
        ada.get(&format!("{history}/{}/proof", events.len() + 1)).await.problem(404);
    }
    client.get(&format!("/projects/{project}/events/1/proof")).await.problem(401);

    // The commitment is of the stored bytes.
    let pool = world.pool().await;
    let (payload, salt): (String, Vec<u8>) = sqlx::query_as(
        "SELECT e.payload::text, l.salt FROM events e JOIN log_leaves l USING (position)
         WHERE e.feed_id::text = $1 AND e.feed_seq = 1",
    )
    .bind(&project)
    .fetch_one(&pool)
    .await
    .expect("an event");
    let proof = ada.get(&format!("/projects/{project}/events/1/proof")).await.is(200).json;
    let committed = entry::commitment(&salt.try_into().expect("a salt"), payload.as_bytes());
    assert!(proof["entry"].as_str().expect("an entry").ends_with(&format!("{committed}\n")));
    for change in [
        "DELETE FROM log_leaves",
        "UPDATE log_leaves SET hash = salt || salt",
        "DELETE FROM log_nodes",
        "DELETE FROM log_feed_sizes",
        "UPDATE log_feed_sizes SET size = size - 1",
    ] {
        sqlx::query(change).execute(&pool).await.expect_err(change);
    }
}
