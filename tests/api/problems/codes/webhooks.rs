//! Codes of webhooks.

use serde_json::json;

use super::Met;
use crate::support::{World, eventually};

pub const MET: &[&str] = &["malformed-secret", "too-many-webhooks", "unreachable-address", "webhook-disabled"];

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_cannot_be_created_or_used() {
    let mut met = Met::default();
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let webhooks = format!("/projects/{project}/webhooks");
    let private = json!({"url": "https://10.0.0.1/"});
    met.refused_field(ada.post(&webhooks, private).await, "/url", "unreachable-address");
    // A name of this kind stands for nothing (RFC 6761).
    let hook = json!({"url": "https://hooks.invalid/", "event_types": ["TaskCreated"]});
    let mut weak = hook.clone();
    weak["secret"] = json!("whsec_AAAA");
    met.refused_field(ada.post(&webhooks, weak).await, "/secret", "malformed-secret");
    let mut first = String::new();
    for _ in 0..20 {
        first = ada.post(&webhooks, hook.clone()).await.is(201).id();
    }
    met.refused(ada.post(&webhooks, hook).await, "too-many-webhooks");
    ada.post(&format!("/projects/{project}/tasks"), json!({"title": "Launch"})).await.is(201);
    let deliveries = format!("{webhooks}/{first}/deliveries");
    eventually("a delivery is listed", async || !ada.get(&deliveries).await.is(200).items().is_empty()).await;
    let listed = ada.get(&deliveries).await.is(200);
    let delivery = listed.items()[0]["id"].as_str().expect("an id");
    ada.patch(&format!("{webhooks}/{first}"), json!({"enabled": false})).await.is(200);
    let again = format!("{deliveries}/{delivery}/redeliver");
    met.refused(ada.send(reqwest::Method::POST, &again, None).await, "webhook-disabled");
    met.are(MET);
}
