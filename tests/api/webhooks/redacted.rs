//! What was redacted is sent no more, neither again nor late.

use serde_json::json;

use super::{Receiver, Webhook, messages, only_tasks, server, task};
use crate::support::{World, dump, eventually};

const CANARY: &str = "canary-title";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_redacted_is_sent_with_its_placeholder_when_it_is_sent_again_or_late() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let (receiver, away) = (Receiver::start().await, Receiver::start().await);
    away.usually(503, vec![("retry-after", "1".to_owned())]);
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, only_tasks()).await;
    let slow = Webhook::create(&ada, &project, &away, only_tasks()).await;
    task(&ada, &project, CANARY).await;
    let delivery = webhook.settles(&ada, 1, "completed").await.remove(0);
    for first in [messages(&receiver, 1).await.remove(0), messages(&away, 1).await.remove(0)] {
        assert_eq!(first.json["data"]["data"]["title"], CANARY, "it was never sent: the test proves nothing");
    }

    let history = ada.history(&project).await;
    let created = history.iter().rfind(|event| event["event_type"] == "TaskCreated").expect("an event");
    let event = format!("/projects/{project}/events/{}", created["seq"]);
    ada.post(&format!("{event}/redact"), json!({"reason": "posted by mistake"})).await.is(201);
    webhook.redeliver(&ada, &delivery).await.is(202);
    let again = messages(&receiver, 2).await.remove(1);
    // The first attempt from here on may have begun before.
    let late = messages(&away, away.received().len() + 2).await.pop().expect("a message");
    let shown = ada.get(&event).await.is(200).json;
    assert_eq!((&shown["redacted"], &shown["data"]["title"]), (&json!(true), &json!("[redacted]")));
    for (message, secret) in [(&again, &webhook.secret), (&late, &slow.secret)] {
        assert_eq!(message.json["data"]["data"], shown["data"]);
        assert!(!message.json.to_string().contains(CANARY), "{}", message.json);
        assert_eq!(message.header("webhook-id"), created["event_id"].as_str().expect("an id"));
        assert!(message.is_signed_with(secret));
    }
    away.usually(204, Vec::new());
    slow.settles(&ada, 1, "completed").await;
    webhook.settles(&ada, 2, "completed").await;
    let pool = world.pool().await;
    eventually("nothing has it", async || !dump(&pool).await.contains(CANARY)).await;
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
