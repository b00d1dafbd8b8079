//! What becomes of webhooks, and of what they have not sent yet, when the account that they act for is closed.

use serde_json::json;

use super::{Receiver, Webhook, messages, only_tasks, server, task};
use crate::{
    auth::{
        external::Issuer,
        webhook::{person, start},
    },
    support::{World, eventually},
    tasks::titled,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_of_a_deactivated_account_sends_nothing_until_somebody_enables_it() {
    let world = World::new().await;
    let server = server(&world).await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (receiver, away, others) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    away.usually(503, vec![("retry-after", "1".to_owned())]);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "owner").await;
    let webhook = Webhook::create(&grace, &project, &receiver, only_tasks()).await;
    let slow = Webhook::create(&grace, &project, &away, only_tasks()).await;
    let own = Webhook::create(&ada, &project, &others, only_tasks()).await;
    let command = async |command: &str| {
        let (done, text) = world.command(&["accounts", command, &grace.id]).await;
        assert!(done, "{text}");
    };
    task(&ada, &project, "Before").await;
    webhook.settles(&ada, 1, "completed").await;
    messages(&away, 1).await;
    command("deactivate").await;
    away.usually(204, Vec::new());
    // Nobody is there any more in whose name it could be sent.
    let waited = slow.settles(&ada, 1, "failed").await.remove(0);
    assert_eq!(waited["response_status"], 503, "{waited}");

    // Opening the account brings no webhook back.
    task(&ada, &project, "Closed").await;
    let reason = async |webhook: &Webhook| ada.get(&webhook.path).await.is(200).json["disabled_reason"].clone();
    for webhook in [&webhook, &slow] {
        eventually("it is disabled", async || reason(webhook).await == "creator_left").await;
    }
    command("reactivate").await;
    task(&ada, &project, "Open").await;
    own.settles(&ada, 3, "completed").await;
    assert_eq!(reason(&webhook).await, "creator_left");
    for webhook in [&webhook, &slow] {
        ada.patch(&webhook.path, json!({"enabled": true})).await.is(200);
    }
    let titles = |receiver: &Receiver| -> Vec<_> {
        receiver.received().iter().map(|message| message.json["data"]["data"]["title"].clone()).collect()
    };
    let last = async |receiver: &Receiver, title: &str| {
        eventually(title, async || titles(receiver).last().is_some_and(|shown| shown == title)).await;
    };
    task(&ada, &project, "After").await;
    webhook.settles(&ada, 2, "completed").await;
    assert_eq!(titles(&receiver), ["Before", "After"]);
    last(&away, "After").await;
    slow.redeliver(&ada, &waited).await.is(202);
    last(&away, "Before").await;
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_of_an_account_that_its_issuer_deletes_end_or_send_nothing() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let (server, provider) = start(&world, &issuer).await;
    provider.tell("user.created", person(1_700_000_000_000, "Grace")).await.is(204);
    let grace = server.client().with_token(&issuer.token(&json!({"sub": "user_1"})));
    let ada = server.person("ada").await;
    let shared = ada.project("Apollo").await;
    let body = json!({"email": "ada@example.com", "role": "owner"});
    ada.post(&format!("/projects/{shared}/members"), body).await.is(201);
    let alone = grace.post("/projects", json!({"name": "Alone"})).await.is(201).id();
    let create = async |project: &str| {
        // Nothing is sent there: no task is deleted before its account.
        let body = json!({"url": "https://example.com/hook", "event_types": ["TaskDeleted"]});
        let webhooks = format!("/projects/{project}/webhooks");
        format!("{webhooks}/{}", grace.post(&webhooks, body).await.is(201).id())
    };
    let webhook = create(&shared).await;
    create(&alone).await;
    provider.tell("user.deleted", json!({"id": "user_1", "deleted": true})).await.is(204);

    let pool = world.pool().await;
    let kept = async || -> Vec<String> {
        let kept = sqlx::query_scalar("SELECT project_id::text FROM webhook_endpoints");
        kept.fetch_all(&pool).await.expect("webhooks")
    };
    eventually("the one of the project that went with it is gone", async || kept().await == [shared.as_str()]).await;
    let task = titled(&ada, &shared, "Launch").await;
    ada.delete(&task).await.is(204);
    let reason = async || ada.get(&webhook).await.is(200).json["disabled_reason"].clone();
    eventually("the other one is disabled", async || reason().await == "creator_left").await;
    let asked: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE event_type = 'JobRequested' AND payload->>'job_type' = 'webhook_delivery'",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!(asked, 0, "something was to be sent");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
