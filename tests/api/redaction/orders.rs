//! Redactions that are too many for a request: of what an erased account wrote, and of a deleted project.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use workroom::audit::verify::{Options, verify};

use super::{are_gone, dump, events};
use crate::support::{Person, World, eventually};

/// Waits until all orders are worked off.
pub(super) async fn orders_are_done(pool: &PgPool) {
    eventually("no order is open", async || {
        let open: i64 =
            sqlx::query_scalar("SELECT count(*) FROM redaction_orders").fetch_one(pool).await.expect("a count");
        open == 0
    })
    .await;
}

/// Each redaction by the service, and the type of the event that it follows from, if it names one.
async fn causes(pool: &PgPool) -> Vec<(i64, Option<String>)> {
    sqlx::query_as(
        "SELECT e.position, c.event_type FROM events e
         LEFT JOIN events c ON c.event_id::text = e.metadata->>'causation_id'
         WHERE e.event_type = 'PayloadRedacted' AND e.metadata->>'actor' = 'system:reconciler' ORDER BY e.position",
    )
    .fetch_all(pool)
    .await
    .expect("redactions")
}

/// Insists that an export of a feed is believed, with what the service redacted there.
pub(super) async fn is_believed(reader: &Person, feed: &str) {
    let text = reader.get(&format!("{feed}/events/export")).await.is(200).text;
    let report = verify(text.as_bytes(), &Options::default()).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
    assert!(report.redacted > 0 && report.judged, "{feed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_erased_with_what_they_wrote_leaves_none_of_it() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let feed = format!("/projects/{project}");
    for number in 0..60 {
        let title = json!({"title": format!("canary-grace-{number}")});
        grace.post(&format!("{feed}/tasks"), title).await.is(201);
    }
    grace.project("canary-own").await;
    let kept = ada.post(&format!("{feed}/tasks"), json!({"title": "kept-of-ada"})).await.is(201).id();
    let pool = world.pool().await;
    assert!(dump(&pool).await.contains("canary-grace-59"));
    let body = || Some(json!({"password": grace.password}).to_string());
    grace.send(Method::DELETE, "/auth/me?content=burn", body()).await.problem(422);
    grace.send(Method::DELETE, "/auth/me?content=redact", body()).await.is(204);
    orders_are_done(&pool).await;
    are_gone(&pool, &["canary-grace", "canary-own"]).await;
    assert!(dump(&pool).await.contains("kept-of-ada"));
    assert_eq!(ada.get(&format!("{feed}/tasks/{kept}")).await.is(200).json["title"], "kept-of-ada");
    let redactions = events(&ada, &feed, "PayloadRedacted").await;
    assert_eq!(redactions.len(), 60);
    assert!(redactions.iter().all(|event| event["actor"] == "system:reconciler"));
    let caused = causes(&pool).await;
    assert!(
        caused.len() > 60 && caused.iter().all(|(_, cause)| cause.as_deref() == Some("AccountErased")),
        "{caused:?}"
    );
    let (proven, text) = world.command(&["audit", "access"]).await;
    assert!(proven, "{text}");
    is_believed(&ada, &feed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_erased_account_wrote_stays_unless_it_says_so() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    grace.post(&format!("/projects/{project}/tasks"), json!({"title": "kept-of-grace"})).await.is(201);
    let body = Some(json!({"password": grace.password}).to_string());
    grace.send(Method::DELETE, "/auth/me", body).await.is(204);
    let pool = world.pool().await;
    orders_are_done(&pool).await;
    assert!(dump(&pool).await.contains("kept-of-grace"));
    let erased: String = sqlx::query_scalar("SELECT payload::text FROM events WHERE event_type = 'AccountErased'")
        .fetch_one(&pool)
        .await
        .expect("the erasure");
    assert_eq!(erased, r#"{"type":"AccountErased"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_project_is_purged_by_who_owned_it() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("canary-project").await;
    ada.invite(&project, &grace, "collaborator").await;
    let feed = format!("/projects/{project}");
    grace.post(&format!("{feed}/tasks"), json!({"title": "canary-title"})).await.is(201);
    ada.patch(&feed, json!({"description": "canary-description"})).await.is(200);
    ada.delete(&feed).await.is(204);
    let reason = || json!({"reason": "the contract is over"});
    grace.post(&format!("{feed}/purge"), reason()).await.problem(404);
    ada.post(&format!("{feed}/purge"), reason()).await.is(202);
    // Asked for twice, it is done once.
    ada.post(&format!("{feed}/purge"), reason()).await.is(202);
    let pool = world.pool().await;
    orders_are_done(&pool).await;
    are_gone(&pool, &["canary-project", "canary-title", "canary-description"]).await;
    let redactions = events(&ada, &feed, "PayloadRedacted").await;
    assert!(redactions.len() >= 3);
    assert!(redactions.iter().all(|event| event["data"]["reason"] == "the contract is over"));
    // Who ordered it is an event, and not what anybody may write into a reason.
    let [ordered]: [Value; 1] = events(&ada, &feed, "ProjectPurgeOrdered").await.try_into().expect("one order");
    assert_eq!((&ordered["actor"], &ordered["data"]["reason"]), (&json!(ada.id), &json!("the contract is over")));
    let caused = causes(&pool).await;
    assert!(caused.iter().all(|(_, cause)| cause.as_deref() == Some("ProjectPurgeOrdered")), "{caused:?}");
    ada.post(&format!("{feed}/events/{}/redact", ordered["seq"]), reason()).await.refused("nothing-to-redact");
    let (proven, text) = world.command(&["audit", "access"]).await;
    assert!(proven, "{text}");
    is_believed(&ada, &feed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_redacts_without_an_order_is_found() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (project, own) = (ada.project("canary-project").await, grace.project("canary-own").await);
    let pool = world.pool().await;
    // A row says what is to be done, but not by whose right.
    for (feed, account) in [(Some(project.as_str()), None), (None, Some(grace.id.as_str()))] {
        sqlx::query(
            "INSERT INTO redaction_orders (id, feed_id, account_id, reason)
             VALUES (gen_random_uuid(), $1::uuid, $2::uuid, 'over')",
        )
        .bind(feed)
        .bind(account)
        .execute(&pool)
        .await
        .expect("an order");
    }
    orders_are_done(&pool).await;
    are_gone(&pool, &["canary-project", "canary-own"]).await;
    let caused = causes(&pool).await;
    assert!(caused.len() >= 2 && caused.iter().all(|(_, cause)| cause.is_none()), "{caused:?}");
    for (person, project) in [(&ada, &project), (&grace, &own)] {
        let export = person.get(&format!("/projects/{project}/events/export")).await.is(200).text;
        let Err(failure) = verify(export.as_bytes(), &Options::default()) else { panic!("believed: {export}") };
        assert!(failure.to_string().contains("nobody has ordered"), "{failure}");
    }
    let (proven, text) = world.command(&["audit", "access"]).await;
    assert!(!proven, "{text}");
    for (position, _) in &caused {
        assert!(text.contains(&format!("position {position}: PayloadRedacted by system:reconciler")), "{text}");
    }
    assert!(text.contains(&format!(" {} violations", caused.len())), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_on_where_a_killed_process_left_it() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("canary-project").await;
    let feed = format!("/projects/{project}");
    for number in 0..100 {
        ada.post(&format!("{feed}/tasks"), json!({"title": format!("canary-{number}")})).await.is(201);
    }
    ada.delete(&feed).await.is(204);
    ada.post(&format!("{feed}/purge"), json!({"reason": "over"})).await.is(202);
    let pool = world.pool().await;
    eventually("it has begun", async || {
        let begun: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'PayloadRedacted'")
            .fetch_one(&pool)
            .await
            .expect("a count");
        begun > 0
    })
    .await;
    server.kill9().await;
    // Nobody has to wait for the lease of who is gone.
    sqlx::query("UPDATE redaction_orders SET leased_until = NULL").execute(&pool).await.expect("a lease");
    let _another = world.server_without_worker().await;
    orders_are_done(&pool).await;
    are_gone(&pool, &["canary-"]).await;
    let twice: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT payload->>'position' FROM events WHERE event_type = 'PayloadRedacted'
                               GROUP BY 1 HAVING count(*) > 1) AS twice",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!(twice, 0);
}
