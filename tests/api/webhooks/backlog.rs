//! An address that is away adds to what waits up to a bound, and loses nothing.

use std::{collections::BTreeSet, time::Duration};

use super::{Receiver, Webhook, only_tasks, server_with, task};
use crate::support::{World, eventually, within};

const EVENTS: usize = 23;
const OPEN: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_webhook_no_more_than_so_many_deliveries_wait_and_nothing_is_lost() {
    let world = World::new().await;
    let limit = [("WORKROOM_WEBHOOKS__OPEN_DELIVERIES", "5")];
    let server = server_with(&world, &limit).await;
    let ada = server.person("ada").await;
    let (away, present) = (Receiver::start().await, Receiver::start().await);
    away.usually(503, vec![("retry-after", "1".to_owned())]);
    let project = ada.project("Apollo").await;
    let slow = Webhook::create(&ada, &project, &away, only_tasks()).await;
    let quick = Webhook::create(&ada, &project, &present, only_tasks()).await;
    for number in 0..EVENTS {
        task(&ada, &project, &format!("{number}")).await;
    }
    quick.settles(&ada, EVENTS, "completed").await;
    let waiting = slow.deliveries(&ada).await;
    assert_eq!(waiting.len(), OPEN, "{waiting:?}");
    let pool = world.pool().await;
    let behind = async || {
        let behind = "SELECT id::text FROM webhook_endpoints WHERE behind_at IS NOT NULL";
        let behind: Vec<String> = sqlx::query_scalar(behind).fetch_all(&pool).await.expect("webhooks");
        behind
    };
    eventually("one is behind, and no other", async || behind().await == [slow.id.clone()]).await;

    // Where it is outlives the process.
    server.kill9().await;
    let server = server_with(&world, &limit).await;
    let ada = ada.at(&server.address);
    task(&ada, &project, "after").await;
    quick.settles(&ada, EVENTS + 1, "completed").await;
    assert_eq!(slow.deliveries(&ada).await.len(), OPEN);
    away.usually(204, Vec::new());
    within(Duration::from_secs(60), "all that happened is delivered", async || {
        let deliveries = slow.deliveries(&ada).await;
        deliveries.len() == EVENTS + 1 && deliveries.iter().all(|delivery| delivery["status"] == "completed")
    })
    .await;
    eventually("nobody is behind", async || behind().await.is_empty()).await;
    let history = ada.history(&project).await;
    let created = history.iter().filter(|event| event["event_type"] == "TaskCreated");
    let events: BTreeSet<&str> = created.map(|event| event["event_id"].as_str().expect("an id")).collect();
    let received = away.received();
    let received: BTreeSet<&str> = received.iter().map(|message| message.header("webhook-id")).collect();
    assert_eq!((events.len(), &received), (EVENTS + 1, &events));
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_a_webhook_is_disabled_is_not_sent_though_it_was_behind() {
    let world = World::new().await;
    let server = server_with(&world, &[("WORKROOM_WEBHOOKS__OPEN_DELIVERIES", "1")]).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    receiver.usually(503, vec![("retry-after", "1".to_owned())]);
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, only_tasks()).await;
    for title in ["One", "Two", "Three"] {
        task(&ada, &project, title).await;
    }
    let pool = world.pool().await;
    let is_behind = async || {
        let behind = "SELECT EXISTS (SELECT FROM webhook_endpoints WHERE behind_at IS NOT NULL)";
        sqlx::query_scalar::<_, bool>(behind).fetch_one(&pool).await.expect("an answer")
    };
    eventually("it is behind", async || is_behind().await).await;
    ada.patch(&webhook.path, serde_json::json!({"enabled": false})).await.is(200);
    eventually("there is nothing to catch up with", async || !is_behind().await).await;
    receiver.usually(204, Vec::new());
    ada.patch(&webhook.path, serde_json::json!({"enabled": true})).await.is(200);
    task(&ada, &project, "Four").await;
    let titles = async || {
        let last = receiver.received().pop().expect("a message");
        last.json["data"]["data"]["title"].clone()
    };
    eventually("what comes next is sent", async || titles().await == "Four").await;
    assert_eq!(webhook.deliveries(&ada).await.len(), 2, "the first, and the last");
}
