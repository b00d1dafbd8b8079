//! A webhook whose deliveries only fail is disabled.

use serde_json::json;

use super::{Receiver, Webhook, only_tasks, server, task};
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_delivers_nothing_for_a_day_is_disabled() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, only_tasks()).await;
    let pool = world.pool().await;
    let change = async |change: &str| {
        let update = format!("UPDATE webhook_endpoints SET {change}");
        sqlx::query(&update).execute(&pool).await.expect("an update");
    };
    let failed_in_row = async || {
        let count = "SELECT failed_in_row FROM webhook_endpoints";
        sqlx::query_scalar::<_, i32>(count).fetch_one(&pool).await.expect("a count")
    };
    let disabled = async || ada.get(&webhook.path).await.is(200).json["disabled_reason"].clone();
    // As if eight attempts had failed since two days ago. An address that does not read is given up at once.
    let since = "failed_in_row = 8, failing_since = now() - interval '2 days'";
    change(since).await;
    task(&ada, &project, "Success").await;
    webhook.settles(&ada, 1, "completed").await;
    eventually("a success is the end of a row", async || failed_in_row().await == 0).await;
    change(&format!("{since}, url = 'nowhere'")).await;
    task(&ada, &project, "One").await;
    eventually("a failure is counted", async || failed_in_row().await == 9).await;
    assert_eq!(disabled().await, json!(null));
    task(&ada, &project, "Two").await;
    eventually("the webhook is disabled", async || disabled().await == "failing").await;

    // Whoever enables it gives it a day, and ten attempts, from the next failure on.
    ada.patch(&webhook.path, json!({"enabled": true})).await.is(200);
    assert_eq!(failed_in_row().await, 0);
    for number in 1..=3 {
        task(&ada, &project, "Three").await;
        eventually("a failure is counted", async || failed_in_row().await == number).await;
    }
    assert_eq!(disabled().await, json!(null));
    // Many failures within less than a day are none of that.
    change("failed_in_row = 100, failing_since = now() - interval '23 hours'").await;
    task(&ada, &project, "Four").await;
    eventually("a failure is counted", async || failed_in_row().await == 101).await;
    assert_eq!(disabled().await, json!(null));
    ada.patch(&webhook.path, json!({"url": receiver.url()})).await.is(200);
    task(&ada, &project, "Five").await;
    eventually("a success is the end of a row", async || failed_in_row().await == 0).await;
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_counts_and_what_was_put_off_does_not() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, only_tasks()).await;
    receiver.answer(503, vec![("retry-after", "1".to_owned())]);
    receiver.usually(500, Vec::new());
    task(&ada, &project, "Launch").await;
    let pool = world.pool().await;
    eventually("one attempt was put off, and two have failed", async || {
        let counted: (i32, bool) =
            sqlx::query_as("SELECT failed_in_row, failing_since IS NOT NULL FROM webhook_endpoints")
                .fetch_one(&pool)
                .await
                .expect("a row");
        receiver.received().len() == 3 && counted == (2, true)
    })
    .await;
    assert_eq!(webhook.deliveries(&ada).await[0]["attempts"], 2);
}
