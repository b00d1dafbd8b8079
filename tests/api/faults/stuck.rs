//! What stands still is named by every process, whichever process should be at work.

use serde_json::json;

use crate::support::{MailServer, Manner, World, eventually};

#[tokio::test]
async fn readiness_names_views_and_relay_that_do_not_move() {
    let world = World::new().await;
    let server = world.server_with(&["--roles", "api,live"], &[]).await;
    let projector = world.server_with(&["--roles", "projector,relay"], &[]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    ada.get("//ready").await.is(200);
    projector.kill9().await;
    let reply = ada.patch(&format!("/projects/{project}"), json!({"description": "nobody looks"})).await;
    assert_eq!(reply.header("workroom-visible"), "false");
    eventually("views and relay are named", async || {
        let reply = ada.get("//ready").await;
        let detail = reply.json["detail"].as_str().unwrap_or_default().to_owned();
        reply.status == 503
            && ["projections: stuck: jobs at ", "stuck: workspace at ", "relay: stuck: EVENTS at "]
                .iter()
                .all(|named| detail.contains(named))
    })
    .await;
    let _heir = world.server_with(&["--roles", "projector,relay"], &[]).await;
    eventually("ready again", async || ada.get("//ready").await.status == 200).await;
}

#[tokio::test]
async fn readiness_names_mails_that_do_not_leave_and_the_service_goes_on() {
    let (world, mails) = (World::new().await, MailServer::new(Manner::PutsOff).await);
    let server = world.server_with(&[], &[("WORKROOM_SMTP_URL", &mails.url())]).await;
    let ada = server.person("ada").await;
    let ready = ada.get("//ready").await.is(200).json;
    assert_eq!(ready["checks"]["mails"]["ok"], true, "{ready}");
    eventually("an attempt", async || mails.attempts() > 0).await;
    let pool = world.pool().await;
    let overdue = sqlx::query("UPDATE mails SET due_at = now() - interval '7 minutes'").execute(&pool).await;
    assert_eq!(overdue.expect("mails").rows_affected(), 1);
    let ready = ada.get("//ready").await.is(200).json;
    assert_eq!(ready["checks"]["mails"]["ok"], false, "{ready}");
    let detail = ready["checks"]["mails"]["detail"].as_str().expect("a detail");
    assert!(detail.contains("none leaves") && detail.contains("7 minutes") && detail.contains("fails"), "{detail}");
    mails.behave(Manner::Takes);
    eventually("mails leave", async || ada.get("//ready").await.is(200).json["checks"]["mails"]["ok"] == true).await;
}
