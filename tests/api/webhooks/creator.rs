//! A webhook acts for the account that created it, or enabled it last, and no longer than that account may.

use reqwest::Method;
use serde_json::json;

use super::{Receiver, Webhook, only_tasks, server, task};
use crate::support::{Person, World, eventually};

/// How somebody loses the right to manage a project's webhooks.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Demoted,
    Removed,
    Erased,
}

async fn lose(loss: Loss, project: &str, ada: &Person, grace: &Person) {
    let member = format!("/projects/{project}/members/{}", grace.id);
    match loss {
        Loss::Demoted => ada.patch(&member, json!({"role": "viewer"})).await.is(200),
        Loss::Removed => ada.delete(&member).await.is(204),
        Loss::Erased => {
            let erase = json!({"password": grace.password}).to_string();
            grace.send(Method::DELETE, "/auth/me", Some(erase)).await.is(204)
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_of_who_lost_the_right_is_disabled_until_somebody_enables_it_in_their_own_name() {
    let world = World::new().await;
    let server = server(&world).await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    for loss in [Loss::Demoted, Loss::Removed, Loss::Erased] {
        let receiver = Receiver::start().await;
        let project = ada.project("Apollo").await;
        ada.invite(&project, &grace, "owner").await;
        let webhook = Webhook::create(&grace, &project, &receiver, only_tasks()).await;
        let own = Webhook::create(&ada, &project, &receiver, json!({"event_types": ["ProjectUpdated"]})).await;
        task(&ada, &project, "Before").await;
        webhook.settles(&ada, 1, "completed").await;
        lose(loss, &project, &ada, &grace).await;
        for title in ["One", "Two", "Three"] {
            task(&ada, &project, title).await;
        }
        let reason = async || ada.get(&webhook.path).await.is(200).json["disabled_reason"].clone();
        eventually("it is disabled", async || reason().await == "creator_left").await;
        assert_eq!(webhook.deliveries(&ada).await.len(), 1, "{loss:?}: nothing is sent any more");
        let history = ada.history(&project).await;
        let disabled = history.iter().rfind(|event| event["event_type"] == "WebhookDisabled").expect("an event");
        assert_eq!(disabled["actor"], "system:reconciler", "{loss:?}");
        assert_eq!(ada.get(&own.path).await.is(200).json["enabled"], true, "{loss:?}: it is another's");

        ada.patch(&webhook.path, json!({"enabled": true})).await.is(200);
        task(&ada, &project, "After").await;
        webhook.settles(&ada, 2, "completed").await;
        let titles: Vec<_> =
            receiver.received().iter().map(|message| message.json["data"]["data"]["title"].clone()).collect();
        assert_eq!(titles, ["Before", "After"], "{loss:?}");
        assert_eq!(ada.get(&webhook.path).await.is(200).json["created_by"], grace.id.as_str());
    }
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
    let (equal, printed) = world.command(&["projections", "verify"]).await;
    assert!(equal, "{printed}");
}
