//! More than one process: there is one tree.

use serde_json::Value;
use workroom_proofs::{checkpoint::Checkpoint, hash::Hash, tree};

use super::{change, covering, root_of_tiles};
use crate::support::{Client, Server, World};

/// Insists that a tree continues an older one.
async fn continues(client: &Client, old: &Checkpoint, new: &Checkpoint) {
    let path = format!("/log/consistency?from={}&to={}", old.size, new.size);
    let proof = client.get(&path).await.is(200).json;
    let hash = |text: &Value| Hash::from_base64(text.as_str().expect("a text")).expect("a hash");
    let hashes: Vec<_> = proof["hashes"].as_array().expect("hashes").iter().map(hash).collect();
    assert!(tree::verify_consistency(old.size, &old.root, new.size, &new.root, &hashes), "{old:?} {new:?}");
    assert_eq!(root_of_tiles(client, new.size).await, new.root);
}

async fn leads(server: &Server) -> bool {
    let ready = server.client().get("//ready").await.json;
    ready["checks"]["log_tree"]["detail"].as_str().is_some_and(|detail| detail.starts_with("leading"))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_takes_over_from_a_leader_that_is_killed_or_stands_still() {
    let world = World::new().await;
    let (mut one, mut two) = (world.server().await, world.server().await);
    let ada = one.person("ada").await;
    let project = ada.project("Apollo").await;
    let (mut last, _) = covering(&one.client(), change(&ada, &project, "0").await).await;
    for round in 1..=2 {
        if !leads(&one).await {
            std::mem::swap(&mut one, &mut two);
        }
        let frozen = one.freeze();
        let position = change(&ada.at(&two.address), &project, &format!("frozen {round}")).await;
        let (next, _) = covering(&two.client(), position).await;
        continues(&two.client(), &last, &next).await;
        drop(frozen);
        let killed = std::mem::replace(&mut one, world.server().await);
        killed.kill9().await;
        let position = change(&ada.at(&one.address), &project, &format!("killed {round}")).await;
        let (after, _) = covering(&one.client(), position).await;
        continues(&one.client(), &next, &after).await;
        last = after;
    }
}

/// A restore begins one by hand or by the relay.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_epoch_is_noted_where_it_begins() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let (before, _) = covering(&server.client(), change(&ada, &project, "before").await).await;
    let pool = world.pool().await;
    sqlx::query("UPDATE log_epoch SET epoch = gen_random_uuid()").execute(&pool).await.expect("an epoch");
    let (after, _) = covering(&server.client(), change(&ada, &project, "after").await).await;
    continues(&server.client(), &before, &after).await;
    let noted: Vec<i64> = sqlx::query_scalar("SELECT first_position FROM log_tree_epochs ORDER BY 1")
        .fetch_all(&pool)
        .await
        .expect("epochs");
    assert_eq!((noted.len(), noted[0]), (2, 1), "{noted:?}");
    assert!(u64::try_from(noted[1]).expect("a position") > before.size, "{noted:?}");
    let seq = ada.history(&project).await.len();
    ada.get(&format!("/projects/{project}/events/1/proof")).await.is(200);
    ada.get(&format!("/projects/{project}/events/{seq}/proof")).await.is(200);
}
