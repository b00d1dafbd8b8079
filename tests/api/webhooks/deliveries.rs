//! What is sent, when it is sent again, and when no more.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Receiver, Webhook, messages, only_tasks, server, task};
use crate::support::{World, eventually, published};

#[tokio::test(flavor = "multi_thread")]
async fn events_that_the_filter_takes_are_sent_signed_and_as_the_history_shows_them() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    task(&ada, &project, "Before").await;
    let some = Webhook::create(&ada, &project, &receiver, json!({"event_types": ["TaskCreated"]})).await;
    task(&ada, &project, "After").await;
    ada.patch(&format!("/projects/{project}"), json!({"description": "edited"})).await.is(200);
    let other = ada.project("Artemis").await;
    task(&ada, &other, "Elsewhere").await;
    let deliveries = some.settles(&ada, 1, "completed").await;
    let [delivery] = deliveries.as_slice() else { panic!("one delivery: {deliveries:?}") };
    let received = messages(&receiver, 1).await;
    let [message] = received.as_slice() else { panic!("one message: {received:?}") };
    let history = ada.history(&project).await;
    let event = history.iter().rfind(|event| event["event_type"] == "TaskCreated").expect("an event");
    assert_eq!(message.json["data"], published(event));
    assert_eq!((&message.json["specversion"], &message.json["id"]), (&json!("1.0"), &event["event_id"]));
    assert_eq!(message.json["type"], "workroom.TaskCreated");
    assert_eq!(message.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(
        (message.path.as_str(), message.header("webhook-id")),
        ("/hook", event["event_id"].as_str().expect("an id"))
    );
    assert!(message.is_signed_with(&some.secret));
    assert!(!message.is_signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!((&delivery["event_id"], &delivery["event_type"]), (&event["event_id"], &json!("TaskCreated")));
    assert_eq!((&delivery["attempts"], &delivery["response_status"]), (&json!(1), &json!(204)));
    assert_eq!((&delivery["position"], &delivery["failure"]), (&event["position"], &json!(null)));

    // Deliveries are neither in the project's history nor among its jobs, and nobody has them by way of jobs.
    let events = serde_json::to_string(&history).expect("JSON");
    assert!(!events.contains("webhook_delivery"), "{events}");
    for jobs in ["/jobs".to_owned(), format!("/jobs?project_id={project}")] {
        assert!(ada.get(&jobs).await.is(200).items().is_empty());
    }
    let job = delivery["id"].as_str().expect("an id");
    ada.get(&format!("/jobs/{job}")).await.problem(404);
    ada.cancel(job).await.problem(404);
    ada.retry(job).await.problem(404);

    let all = Webhook::create(&ada, &project, &receiver, json!({})).await;
    ada.patch(&format!("/projects/{project}"), json!({"description": "edited again"})).await.is(200);
    all.settles(&ada, 1, "completed").await;
    assert_eq!(messages(&receiver, 2).await[1].event_type(), "ProjectUpdated");
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
    let (equal, printed) = world.command(&["projections", "verify"]).await;
    assert!(equal, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_sent_again() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, json!({"event_types": ["TaskCreated"]})).await;
    receiver.answer(500, Vec::new());
    receiver.answer(429, vec![("retry-after", "1".to_owned())]);
    task(&ada, &project, "Launch").await;
    let deliveries = webhook.settles(&ada, 1, "completed").await;
    let [delivery] = deliveries.as_slice() else { panic!("one delivery: {deliveries:?}") };
    assert_eq!((&delivery["attempts"], &delivery["response_status"]), (&json!(2), &json!(204)), "one was put off");
    let received = messages(&receiver, 3).await;
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|message| message.is_signed_with(&webhook.secret)));
    assert!(received.iter().all(|message| message.header("webhook-id") == received[0].header("webhook-id")));
    assert_ne!(received[0].header("webhook-timestamp"), received[1].header("webhook-timestamp"));
    assert!(received.iter().all(|message| message.bytes == received[0].bytes));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_elsewhere_is_not_followed() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, json!({"event_types": ["TaskCreated"]})).await;
    for (number, to) in ["http://10.0.0.1/".to_owned(), other.url()].into_iter().enumerate() {
        receiver.answer(307, vec![("location", to)]);
        task(&ada, &project, "Launch").await;
        eventually("an attempt has failed", async || {
            webhook.deliveries(&ada).await.iter().any(|delivery| delivery["failure"] == "redirect_refused")
        })
        .await;
        webhook.settles(&ada, number + 1, "completed").await;
    }
    assert!(other.received().is_empty());
    // Where networks are not allowed, they are not reached whatever was stored before.
    drop(server);
    let strict = world.server_without_worker().await;
    let ada = ada.at(&strict.address);
    task(&ada, &project, "Land").await;
    eventually("the address is refused", async || webhook.deliveries(&ada).await[0]["failure"] == "no_public_address")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_secrets_sign_while_they_are_changed() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, json!({"event_types": ["TaskCreated"]})).await;
    let rotated = ada.post(&format!("{}/secret", webhook.path), json!({})).await.is(201).json;
    let new = rotated["secret"].as_str().expect("a secret");
    task(&ada, &project, "Launch").await;
    let message = messages(&receiver, 1).await.remove(0);
    assert!(message.is_signed_with(new) && message.is_signed_with(&webhook.secret));
    let signatures = message.header("webhook-signature").split(' ').count();
    assert_eq!(signatures, 2);
    let overdue = "UPDATE webhook_endpoints SET former_secret_until = now() - interval '1 second'";
    sqlx::query(overdue).execute(&world.pool().await).await.expect("an update");
    assert_eq!(ada.get(&webhook.path).await.is(200).json["former_secret_until"], Value::Null);
    task(&ada, &project, "Land").await;
    let message = messages(&receiver, 2).await.remove(1);
    assert!(message.is_signed_with(new) && !message.is_signed_with(&webhook.secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_gone_gets_nothing_more_until_somebody_says_so() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    let webhook = Webhook::create(&ada, &project, &receiver, json!({"event_types": ["TaskCreated"]})).await;
    receiver.answer(410, Vec::new());
    task(&ada, &project, "Launch").await;
    let deliveries = webhook.settles(&ada, 1, "failed").await;
    let [delivery] = deliveries.as_slice() else { panic!("one delivery: {deliveries:?}") };
    assert_eq!(delivery["response_status"], 410);
    let seen = ada.get(&webhook.path).await.is(200).json;
    assert_eq!((&seen["enabled"], &seen["disabled_reason"]), (&json!(false), &json!("gone")));
    let history = ada.history(&project).await;
    let disabled = history.last().expect("an event");
    assert_eq!((&disabled["event_type"], &disabled["actor"]), (&json!("WebhookDisabled"), &json!("system:worker")));
    task(&ada, &project, "Unheard").await;
    webhook.redeliver(&ada, delivery).await.refused("webhook-disabled");
    ada.patch(&webhook.path, json!({"enabled": true})).await.is(200);
    task(&ada, &project, "Heard").await;
    eventually("what comes next is sent", async || receiver.received().len() == 2).await;
    assert_eq!(receiver.received()[1].json["data"]["data"]["title"], "Heard");

    let again = webhook.redeliver(&ada, delivery).await.is(202);
    assert_eq!((&again.json["event_id"], &again.json["status"]), (&delivery["event_id"], &json!("pending")));
    let received = messages(&receiver, 3).await;
    assert_eq!(received[2].header("webhook-id"), received[0].header("webhook-id"));
    assert_eq!(received[2].bytes, received[0].bytes);
    eventually("the new delivery is listed", async || {
        let deliveries = webhook.deliveries(&ada).await;
        deliveries.len() == 3 && deliveries[0]["id"] == again.json["id"] && deliveries[0]["status"] == "completed"
    })
    .await;
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

/// The webhooks whose deliveries are kept, one for each.
async fn kept(pool: &PgPool) -> Vec<String> {
    let webhooks = sqlx::query_scalar("SELECT webhook_id::text FROM views.webhook_deliveries ORDER BY 1");
    webhooks.fetch_all(pool).await.expect("ids")
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_go_with_their_webhook_and_with_its_project() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let pool = world.pool().await;
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    let doomed = Webhook::create(&ada, &apollo, &receiver, only_tasks()).await;
    let other = Webhook::create(&ada, &apollo, &receiver, only_tasks()).await;
    let elsewhere = Webhook::create(&ada, &gemini, &receiver, only_tasks()).await;
    task(&ada, &apollo, "Launch").await;
    task(&ada, &gemini, "Dock").await;
    for webhook in [&doomed, &other, &elsewhere] {
        webhook.settles(&ada, 1, "completed").await;
    }
    assert_eq!(kept(&pool).await.len(), 3);
    ada.delete(&doomed.path).await.is(204);
    eventually("its deliveries are gone", async || kept(&pool).await.len() == 2).await;
    assert!(!kept(&pool).await.contains(&doomed.id));
    assert_eq!(other.deliveries(&ada).await.len(), 1);
    ada.delete(&format!("/projects/{apollo}")).await.is(204);
    eventually("those of the project are gone", async || kept(&pool).await == [elsewhere.id.as_str()]).await;
    assert_eq!(elsewhere.deliveries(&ada).await.len(), 1);
    for command in [&["projections", "verify"][..], &["projections", "rebuild", "--group", "jobs"]] {
        let (done, printed) = world.command(command).await;
        assert!(done, "{printed}");
    }
    assert_eq!(kept(&pool).await, [elsewhere.id.as_str()]);
}
