//! The queue in NATS: whatever is lost of it only delays.

use serde_json::json;
use workroom::{
    jobs::{Pool, QUEUE},
    messaging::Messaging,
};

use crate::support::World;

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
