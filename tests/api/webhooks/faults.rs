//! Each event is delivered once to each webhook, whatever dies in between.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Receiver, Webhook, server};
use crate::{
    support::{World, within},
    tasks::titled,
};

/// Events before each death.
const EVENTS: usize = 20;
const DEATHS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_delivered_once_though_services_are_killed() {
    let world = World::new().await;
    let first = server(&world).await;
    let ada = first.person("ada").await;
    let receivers = [Receiver::start().await, Receiver::start().await];
    let project = ada.project("Apollo").await;
    let filter = json!({"event_types": ["TaskCreated"]});
    let mut webhooks = Vec::new();
    for receiver in &receivers {
        webhooks.push(Webhook::create(&ada, &project, receiver, filter.clone()).await);
    }
    let mut running = first;
    let mut person = ada;
    for _ in 0..DEATHS {
        for number in 0..EVENTS {
            titled(&person, &project, &format!("{number}")).await;
        }
        // While what was just written is on its way.
        running.kill9().await;
        running = server(&world).await;
        person = person.at(&running.address);
    }
    let history = person.history(&project).await;
    let created = history.iter().filter(|event| event["event_type"] == "TaskCreated");
    let events: BTreeSet<String> = created.map(|event| event["event_id"].to_string()).collect();
    assert_eq!(events.len(), EVENTS * DEATHS);
    for (webhook, receiver) in webhooks.iter().zip(&receivers) {
        within(std::time::Duration::from_secs(60), "all deliveries are done", async || {
            let deliveries = webhook.deliveries(&person).await;
            deliveries.len() >= events.len() && deliveries.iter().all(|delivery| delivery["status"] == "completed")
        })
        .await;
        // One delivery for each event; an attempt that was interrupted may have been received.
        let deliveries = webhook.deliveries(&person).await;
        let delivered: BTreeSet<String> = deliveries.iter().map(|delivery| delivery["event_id"].to_string()).collect();
        assert_eq!((deliveries.len(), &delivered), (events.len(), &events));
        let received: BTreeSet<String> =
            receiver.received().iter().map(|message| Value::from(message.header("webhook-id")).to_string()).collect();
        assert_eq!(received, events);
    }
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
