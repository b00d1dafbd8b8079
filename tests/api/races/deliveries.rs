//! Rules about what webhooks send.

use serde_json::json;

use super::{all_rounds, assert_proved, content::behind, count, rounds};
use crate::{
    support::{World, eventually},
    webhooks::{LOCAL, Receiver},
};

/// Everything but running programs.
const ROLES: [&str; 2] = ["--roles", "api,live,projector,relay,scheduler"];

/// A webhook is deleted, or its project, while what has just happened there becomes a delivery.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_delivered_behind_the_end_of_a_webhook_or_its_project() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server_with(&ROLES, &LOCAL), world.server_with(&ROLES, &LOCAL));
    let ada = here.person("ada").await;
    let receiver = Receiver::start().await;
    rounds(all_rounds(), async |number| {
        let path = format!("/projects/{}", ada.project("Apollo").await);
        let body = json!({"url": receiver.url(), "event_types": ["TaskCreated"]});
        let webhook = ada.post(&format!("{path}/webhooks"), body).await.is(201).id();
        let doomed = if number % 2 == 0 { format!("{path}/webhooks/{webhook}") } else { path.clone() };
        let (other, tasks) = (ada.at(&there.address), format!("{path}/tasks"));
        // By this reply the views show it, and whoever asks for its delivery is woken.
        other.post(&tasks, json!({"title": "One"})).await.is(201);
        let (gone, task) = tokio::join!(ada.delete(&doomed), other.post(&tasks, json!({"title": "Two"})));
        gone.is(204);
        assert!(matches!(task.status, 201 | 404), "{}", task.text);
    })
    .await;

    let pool = world.pool().await;
    let kept = "SELECT (SELECT count(*) FROM views.webhooks) + (SELECT count(*) FROM views.webhook_deliveries)
                     + (SELECT count(*) FROM webhook_endpoints) + (SELECT count(*) FROM webhook_responses)";
    eventually("nothing is kept of any webhook", async || count(&pool, kept).await == 0).await;
    let open = "SELECT count(*) FROM views.jobs WHERE status IN ('pending', 'running')";
    eventually("no delivery is open", async || count(&pool, open).await == 0).await;
    for (key, end) in [("webhook_id", "WebhookDeleted"), ("project_id", "ProjectDeleted")] {
        assert_eq!(count(&pool, &behind("JobRequested", key, end)).await, 0, "asked for behind {end}");
    }
    let asked = "SELECT count(*) FROM events WHERE event_type = 'JobRequested'";
    let (asked, events) = (count(&pool, asked).await, 2 * all_rounds());
    eprintln!("{asked} deliveries were asked for, of {events} events at most; {} came", receiver.received().len());
    assert_proved(&world).await;
}
