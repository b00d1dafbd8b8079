//! Creating, reading, changing and deleting webhooks.

use serde_json::json;
use sqlx::Row;

use super::{Receiver, Webhook, server};
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_created_read_changed_and_deleted() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let webhooks = format!("/projects/{project}/webhooks");
    let body = json!({
        "url": "https://example.com/hook", "event_types": ["TaskUpdated", "TaskCreated"], "description": "The board."
    });
    let created = ada.post(&webhooks, body).await.is(201);
    let path = format!("{webhooks}/{}", created.id());
    assert_eq!((created.header("location"), created.header("etag")), (format!("/api/v1{path}").as_str(), "\"1\""));
    let mut webhook = created.json.clone();
    let secret = webhook.as_object_mut().expect("fields").remove("secret").expect("a secret");
    assert!(secret.as_str().expect("text").starts_with("whsec_"), "{secret}");
    assert_eq!(webhook["event_types"], json!(["TaskCreated", "TaskUpdated"]));
    assert_eq!((&webhook["enabled"], &webhook["disabled_reason"]), (&json!(true), &json!(null)));
    assert_eq!(ada.get(&path).await.is(200).json, webhook);
    assert_eq!(ada.get(&webhooks).await.is(200).items(), &vec![webhook]);

    let changes = json!({"url": "https://example.org/", "event_types": null, "description": "", "enabled": false});
    let changed = ada.patch(&path, changes.clone()).await.is(200);
    assert_eq!((&changed.json["url"], &changed.json["description"]), (&json!("https://example.org/"), &json!("")));
    assert_eq!((&changed.json["event_types"], &changed.json["enabled"]), (&json!(null), &json!(false)));
    assert_eq!((&changed.json["disabled_reason"], changed.header("etag")), (&json!("requested"), "\"4\""));
    assert_eq!(ada.get(&path).await.is(200).json, changed.json);
    let same = ada.patch(&path, changes).await.is(200);
    assert_eq!(same.json, changed.json, "nothing changed");
    let enabled = ada.patch(&path, json!({"enabled": true})).await.is(200);
    assert_eq!((&enabled.json["enabled"], &enabled.json["disabled_reason"]), (&json!(true), &json!(null)));

    let stale = ada.with_header("if-match", "\"1\"");
    stale.patch(&path, json!({"enabled": false})).await.problem(412);
    stale.delete(&path).await.problem(412);
    ada.delete(&path).await.is(204);
    ada.get(&path).await.problem(404);
    ada.delete(&path).await.problem(404);
    assert!(ada.get(&webhooks).await.is(200).items().is_empty());

    let types: Vec<_> = ada.history(&project).await.iter().map(|event| event["event_type"].clone()).collect();
    let expected = [
        "WebhookCreated",
        "WebhookEndpointChanged",
        "WebhookFilterChanged",
        "WebhookDisabled",
        "WebhookEnabled",
        "WebhookDeleted",
    ];
    assert_eq!(types[types.len() - expected.len()..], expected);
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
    let (equal, printed) = world.command(&["projections", "verify"]).await;
    assert!(equal, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_webhook_is_refused() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let webhooks = format!("/projects/{project}/webhooks");
    let with = |field: &str, value: serde_json::Value| {
        let mut body = json!({"url": "https://example.com/hook"});
        body[field] = value;
        body
    };
    for url in
        ["", "example.com", "http://example.com/", "ftp://example.com/", "https://a:b@example.com/", "https://e.com/#f"]
    {
        ada.post(&webhooks, with("url", json!(url))).await.refused_field("/url", "not-a-web-address");
    }
    let private = [
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://192.168.0.1:8443/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
    ];
    for url in private {
        ada.post(&webhooks, with("url", json!(url))).await.refused_field("/url", "unreachable-address");
    }
    let long = format!("https://example.com/{}", "x".repeat(2048));
    ada.post(&webhooks, with("url", json!(long))).await.refused_field("/url", "too-long");
    ada.post(&webhooks, with("event_types", json!([]))).await.refused_field("/event_types", "empty");
    let unknown = with("event_types", json!(["TaskCreated", "TaskInvented"]));
    ada.post(&webhooks, unknown).await.refused_field("/event_types/1", "invalid-value");
    let of_accounts = with("event_types", json!(["SessionStarted"]));
    ada.post(&webhooks, of_accounts).await.refused_field("/event_types/0", "invalid-value");
    for secret in ["", "secret", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        ada.post(&webhooks, with("secret", json!(secret))).await.refused_field("/secret", "malformed-secret");
    }
    assert!(ada.get(&webhooks).await.is(200).items().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_manage_webhooks() {
    let world = World::new().await;
    let server = server(&world).await;
    let [ada, grace, bob, eve] = [
        server.person("ada").await,
        server.person("grace").await,
        server.person("bob").await,
        server.person("eve").await,
    ];
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    ada.invite(&project, &bob, "viewer").await;
    let webhook = Webhook::create(&ada, &project, &receiver, json!({"event_types": ["TaskCreated"]})).await;
    let webhooks = format!("/projects/{project}/webhooks");
    for (person, status) in [(&grace, 403), (&bob, 403), (&eve, 404)] {
        person.get(&webhooks).await.problem(status);
        person.post(&webhooks, json!({"url": receiver.url()})).await.problem(status);
        person.get(&webhook.path).await.problem(status);
        person.patch(&webhook.path, json!({"enabled": false})).await.problem(status);
        person.get(&format!("{}/deliveries", webhook.path)).await.problem(status);
        person.post(&format!("{}/secret", webhook.path), json!({})).await.problem(status);
        person.delete(&webhook.path).await.problem(status);
    }
    // A webhook of another project is none here.
    let other = ada.project("Artemis").await;
    let elsewhere = format!("/projects/{other}/webhooks/{}", webhook.id);
    ada.get(&elsewhere).await.problem(404);
    ada.patch(&elsewhere, json!({"enabled": false})).await.problem(404);
    ada.get(&format!("{elsewhere}/deliveries")).await.problem(404);
    ada.post(&format!("{elsewhere}/secret"), json!({})).await.problem(404);
    ada.delete(&elsewhere).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_told_once_and_kept_where_nobody_sees_it() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let webhooks = format!("/projects/{project}/webhooks");
    let body = json!({"url": "https://secret.example.com/hook", "description": "private words"});
    let keyed = ada.with_header("idempotency-key", "once");
    let created = keyed.post(&webhooks, body.clone()).await.is(201);
    let again = keyed.post(&webhooks, body).await.is(201);
    assert_eq!((again.header("idempotent-replayed"), &again.json), ("true", &created.json));
    assert_eq!(ada.get(&webhooks).await.is(200).items().len(), 1);
    let path = format!("{webhooks}/{}", created.id());
    let keyed = ada.with_header("idempotency-key", "rotate");
    let rotated = keyed.post(&format!("{path}/secret"), json!({})).await.is(201);
    assert_eq!(keyed.post(&format!("{path}/secret"), json!({})).await.is(201).json, rotated.json);
    assert_ne!(rotated.json["secret"], created.json["secret"]);
    assert_eq!(ada.get(&path).await.is(200).json["former_secret_until"], rotated.json["former_secret_until"]);
    let given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let chosen = ada.post(&webhooks, json!({"url": "https://example.com/", "secret": given})).await.is(201);
    assert_eq!(chosen.json["secret"], given);

    let history = serde_json::to_string(&ada.history(&project).await).expect("JSON");
    let shown = [ada.get(&path).await.is(200).text, ada.get(&webhooks).await.is(200).text];
    let secrets = [&created, &rotated, &chosen].map(|reply| reply.json["secret"].as_str().expect("text"));
    let secrets = secrets.map(|secret| secret.trim_start_matches("whsec_").to_owned());
    let pool = world.pool().await;
    let mut kept = String::new();
    for table in ["webhook_endpoints", "views.webhooks", "idempotency_receipts", "events"] {
        let rows = sqlx::query(&format!("SELECT to_jsonb(t)::text AS row FROM {table} t")).fetch_all(&pool).await;
        kept.extend(rows.expect("rows").iter().map(|row| row.get::<String, _>("row")));
    }
    for secret in &secrets {
        assert!(shown.iter().all(|text| !text.contains(secret.as_str())));
        let hexadecimal = hex_of(secret);
        assert!(!kept.contains(secret.as_str()) && !kept.contains(&hexadecimal), "a secret is kept as it is");
    }
    for private in ["secret.example.com", "private words"] {
        assert!(!history.contains(private), "{private} is in the history");
    }
}

fn hex_of(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_outside_the_log_goes_with_the_webhook_and_with_the_project() {
    let world = World::new().await;
    let server = server(&world).await;
    let ada = server.person("ada").await;
    let receiver = Receiver::start().await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    let kept = async || {
        let count = "SELECT (SELECT count(*) FROM webhook_endpoints) + (SELECT count(*) FROM webhook_responses)";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&pool).await.expect("a count")
    };
    let first = Webhook::create(&ada, &project, &receiver, json!({"event_types": ["TaskCreated"]})).await;
    ada.post(&format!("/projects/{project}/tasks"), json!({"title": "Launch"})).await.is(201);
    first.settles(&ada, 1, "completed").await;
    assert_eq!(kept().await, 2);
    ada.delete(&first.path).await.is(204);
    assert_eq!(kept().await, 0);
    Webhook::create(&ada, &project, &receiver, json!({"event_types": ["TaskCreated"]})).await;
    assert_eq!(kept().await, 1);
    ada.delete(&format!("/projects/{project}")).await.is(204);
    eventually("nothing is kept of a deleted project", async || kept().await == 0).await;
}
