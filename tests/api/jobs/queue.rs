//! The queue in NATS: whatever is lost of it only delays.

use serde_json::json;
use workroom::{
    jobs::{Pool, QUEUE},
    messaging::Messaging,
};

use super::lifecycle::{bash, history, types, with};
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_are_lost_alone_are_made_again() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let job = ada.job(json!({"type": "noop"})).await;
    assert_eq!(ada.finished(&job).await["status"], "completed");
    let messaging = Messaging::connect(world.nats_url()).await.expect("an address");
    messaging.connected().await;
    let stream = messaging.jetstream().get_stream(QUEUE).await.expect("the queue");
    for pool in Pool::ALL {
        stream.delete_consumer(pool.as_str()).await.expect("no consumer");
    }
    let job = ada.job(json!({"type": "noop"})).await;
    assert_eq!(ada.finished(&job).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_starts_no_job_whose_key_is_anothers() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let keyed = |job| with(job, json!({"project_id": project, "key": "deploy"}));
    let has_it = ada.job(keyed(bash("sleep 60"))).await;
    let path = format!("/jobs/{has_it}");
    eventually("it runs", async || ada.get(&path).await.is(200).json["status"] == "running").await;
    let waits = ada.job(keyed(json!({"type": "noop"}))).await;
    let messaging = Messaging::connect(world.nats_url()).await.expect("an address");
    messaging.connected().await;
    // As a dispatcher might that knows nothing of keys, or one that was deposed.
    let message = json!({"job_id": waits, "attempt": 1}).to_string();
    let sent = messaging.jetstream().publish(Pool::Service.subject(), message.into()).await.expect("sent");
    sent.await.expect("in the queue");
    eventually("a worker has tried it", async || {
        let queue = messaging.jetstream().get_stream(QUEUE).await.expect("the queue");
        queue.cached_info().state.messages == 0
    })
    .await;
    assert_eq!(types(&history(&ada, &project, &waits).await), ["JobRequested"]);
    assert_eq!(ada.cancel(&has_it).await.is(200).json["status"], "cancelled");
    assert_eq!(ada.finished(&waits).await["status"], "completed");
    assert_eq!(types(&history(&ada, &project, &waits).await), ["JobRequested", "JobStarted", "JobSucceeded"]);
}
