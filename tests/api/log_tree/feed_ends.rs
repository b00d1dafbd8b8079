//! Somebody who writes into the database's tables, past the triggers, takes away the end of a feed.

use sqlx::Executor;

use super::{change, covering};
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_whose_end_was_taken_away_is_not_signed() {
    let world = World::new().await;
    let server = world.server().await;
    let (client, ada) = (server.client(), server.person("ada").await);
    let project = ada.project("Apollo").await;
    change(&ada, &project, "first").await;
    let last = change(&ada, &project, "the last").await;
    let other = ada.project("Gemini").await;
    covering(&client, change(&ada, &other, "behind it").await).await;
    let proof = format!("/projects/{project}/events/1/proof");
    ada.get(&proof).await.is(200);

    // The last event is gone, and at its place of the feed there is another one, at the end of the log.
    let sql = format!(
        "ALTER TABLE events DISABLE TRIGGER USER;
         UPDATE events SET event_id = gen_random_uuid(), position = (SELECT max(position) + 1 FROM events)
         WHERE position = {last};
         ALTER TABLE events ENABLE TRIGGER USER"
    );
    world.pool().await.execute(sql.as_str()).await.expect("a change past the triggers");
    assert_eq!(ada.status_of(&proof).await, 500);
    ada.get(&format!("/projects/{other}/events/1/proof")).await.is(200);
    // The tree does not take it in.
    let is_told = async || {
        let check = client.get("//ready").await.json["checks"]["log_tree"]["detail"].clone();
        check.as_str().is_some_and(|detail| detail.starts_with("halted") && detail.contains("history was changed"))
    };
    eventually("it is told", is_told).await;
}
