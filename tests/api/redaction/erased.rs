//! Whoever is erased with what they wrote leaves nothing of it, whatever it was and wherever it is.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    are_gone, dump, events, has,
    orders::{is_believed, orders_are_done},
    written::{create, id, in_project, rule, webhook},
};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn one_of_everything_goes_with_who_wrote_it() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let shared = format!("/projects/{}", ada.project("Apollo").await);
    ada.invite(id(&shared), &grace, "collaborator").await;
    let written = in_project(&grace, &shared, "canary-shared").await;
    let own = create(&grace, "/projects", json!({"name": "canary-project", "description": "canary-about"})).await;
    in_project(&grace, &own, "canary-own").await;
    rule(&grace, &own, "canary-own").await;
    webhook(&grace, &own, "canary-own").await;
    let alone = json!({"type": "noop", "key": "canary-alone", "run_at": "2100-01-01T00:00:00Z"});
    grace.job(alone).await;
    let pool = world.pool().await;
    let before = dump(&pool).await;
    for what in ["shared-content", "shared-program", "shared-comment", "own-scheduled", "own-webhook", "alone"] {
        assert!(has(&before, &format!("canary-{what}")), "{what} was never there: the test proves nothing");
    }

    let body = Some(json!({"password": grace.password}).to_string());
    grace.send(Method::DELETE, "/auth/me?content=redact", body).await.is(204);
    orders_are_done(&pool).await;
    are_gone(&pool, &["canary"]).await;
    // Her job in the project of others would have waited. A job that is over is redacted, so it was ended first.
    let [cancelled]: [Value; 1] = events(&ada, &shared, "JobCancelled").await.try_into().expect("the job that waited");
    assert_eq!(cancelled["aggregate_id"], written.waiting.as_str());
    assert_eq!(cancelled["actor"], "system:reconciler");
    assert_eq!(cancelled["data"]["reason"], "account_erased");
    for path in &written.paths {
        ada.get(path).await.is(200);
    }
    let (proven, text) = world.command(&["audit", "access"]).await;
    assert!(proven, "{text}");
    is_believed(&ada, &shared).await;
}
