//! Many writers on one aggregate.

use futures::future::join_all;
use serde_json::json;

use super::log::assert_whole;
use crate::support::World;

#[tokio::test]
async fn sixteen_writers_on_one_project_through_two_instances_all_succeed() {
    const EACH: usize = 12;
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let project = ada.project("Apollo").await;
    let path = format!("/projects/{project}");
    let writers = (0..16).map(|writer| {
        let address = if writer % 2 == 0 { &here.address } else { &there.address };
        let (client, path) = (ada.at(address), path.clone());
        async move {
            let mut positions = Vec::new();
            for edit in 0..EACH {
                let text = format!("{writer}.{edit}");
                let reply = client.patch(&path, json!({"description": text})).await.is(200);
                assert_eq!(reply.header("workroom-visible"), "", "a reply that is not visible");
                positions.push(reply.position());
            }
            assert!(positions.is_sorted(), "{positions:?}");
            positions
        }
    });
    let mut positions: Vec<i64> = join_all(writers).await.concat();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), 16 * EACH, "each edit has a position of its own");
    let pool = world.pool().await;
    let head = assert_whole(&pool).await;
    assert_eq!(positions.last(), Some(&head));
    let edits = i64::try_from(16 * EACH).expect("a count");
    let written: (i64, i64) = sqlx::query_as(
        "SELECT count(*), max(sequence) FROM events WHERE aggregate_type = 'project' AND aggregate_id = $1",
    )
    .bind(&project)
    .fetch_one(&pool)
    .await
    .expect("counts");
    assert_eq!(written, (edits + 1, edits + 1));
    let seqs: Vec<_> = ada.history(&project).await.iter().map(|event| event["seq"].as_i64().expect("a seq")).collect();
    assert!(seqs.iter().copied().eq(1..=edits + 2), "{seqs:?}");
    let (verified, text) = world.command(&["projections", "verify"]).await;
    assert!(verified, "{text}");
    let (proved, text) = world.command(&["audit", "access"]).await;
    assert!(proved, "{text}");
}
