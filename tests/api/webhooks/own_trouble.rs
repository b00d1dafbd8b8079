//! What goes wrong in the service itself is no failed delivery; what it learns of its own network is nobody's business.

use serde_json::{Value, json};

use super::{Receiver, Webhook, messages, only_tasks, server, server_with, task};
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_noted_was_delivered_all_the_same() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, only_tasks()).await;
    let refuse = "ALTER TABLE webhook_responses ADD CONSTRAINT nothing CHECK (attempt < 0)";
    sqlx::query(refuse).execute(&world.pool().await).await.expect("a constraint");
    task(&ada, &project, "Launch").await;
    let deliveries = webhook.settles(&ada, 1, "completed").await;
    assert_eq!((&deliveries[0]["attempts"], &deliveries[0]["response_status"]), (&json!(1), &Value::Null));
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_for_now_is_asked_for_later() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    Webhook::create(&ada, &project, &receiver, only_tasks()).await;
    let pool = world.pool().await;
    let refuse = "ALTER TABLE events ADD CONSTRAINT no_jobs CHECK (event_type <> 'JobRequested') NOT VALID";
    sqlx::query(refuse).execute(&pool).await.expect("a constraint");
    task(&ada, &project, "Launch").await;
    eventually("the follower fails", async || {
        let ready = server.client().get("//ready").await.is(200).json;
        ready["background"]["webhooks"]["ok"] == false
    })
    .await;
    sqlx::query("ALTER TABLE events DROP CONSTRAINT no_jobs").execute(&pool).await.expect("no constraint");
    assert_eq!(messages(&receiver, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_within_the_network_is_not_told_from_one_that_nobody_has() {
    let world = World::new().await;
    // Loopback is not allowed here, and has a name everywhere.
    let roles = ["--roles", "api,live,projector,relay,scheduler"];
    let server = world.server_with(&roles, &[("WORKROOM_WEBHOOKS__ALLOW_HTTP", "true")]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let body = json!({"url": "http://localhost:1/hook", "event_types": ["TaskCreated"]});
    let created = ada.post(&format!("/projects/{project}/webhooks"), body).await.is(201);
    task(&ada, &project, "Launch").await;
    let deliveries = format!("/projects/{project}/webhooks/{}/deliveries", created.id());
    eventually("an attempt has failed", async || {
        let listed = ada.get(&deliveries).await.is(200);
        listed.items().first().is_some_and(|delivery| delivery["failure"] == "no_public_address")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_addresses_answered_is_kept_as_long_as_the_data_of_jobs() {
    let world = World::new().await;
    let first = server(&world).await;
    let ada = first.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, only_tasks()).await;
    task(&ada, &project, "Old").await;
    webhook.settles(&ada, 1, "completed").await;
    let pool = world.pool().await;
    let age = "UPDATE webhook_responses SET at = now() - interval '2 days'";
    sqlx::query(age).execute(&pool).await.expect("an update");
    task(&ada, &project, "New").await;
    webhook.settles(&ada, 2, "completed").await;
    assert!(first.stop().await);
    let second = server_with(&world, &[("WORKROOM_JOB_DATA_DAYS", "1")]).await;
    let ada = ada.at(&second.address);
    eventually("the old answer is gone", async || {
        let kept: i64 =
            sqlx::query_scalar("SELECT count(*) FROM webhook_responses").fetch_one(&pool).await.expect("a count");
        kept == 1
    })
    .await;
    let deliveries = webhook.settles(&ada, 2, "completed").await;
    let statuses: Vec<_> = deliveries.iter().map(|delivery| delivery["response_status"].clone()).collect();
    assert_eq!(statuses, [json!(204), Value::Null], "the deliveries themselves are in the log");
}
