//! Rules about schedules: whoever creates one is there, and so is its project.

use reqwest::Method;
use serde_json::{Value, json};

use super::{all_rounds, assert_proved, count, instances, rounds};
use crate::{
    auth::{external::Issuer, webhook},
    event_store::log::{hold_lock, release, waiting_for_lock},
    jobs::lifecycle::{bash, with},
    support::{World, eventually},
};

/// What is kept of schedules outside the log.
const KEPT: &str = "SELECT (SELECT count(*) FROM schedule_slots) + (SELECT count(*) FROM schedule_inputs)";

/// A schedule whose jobs work on something, each second.
fn schedule() -> Value {
    json!({"every_seconds": 1, "job": bash("true")})
}

/// A schedule is created on one instance while its author is erased, or its project deleted, on the other.
#[tokio::test(flavor = "multi_thread")]
async fn no_schedule_outlives_its_author_or_its_project() {
    let world = World::new().await;
    let issuer = Issuer::new();
    let ((here, provider), (there, _)) = tokio::join!(webhook::start(&world, &issuer), webhook::start(&world, &issuer));
    let ada = here.person("ada").await;
    let created = rounds(all_rounds(), async |number| {
        let created = if number % 2 == 0 {
            let subject = format!("user_{number}");
            let author = there.client().with_token(&issuer.token(&json!({"sub": subject})));
            author.get("/auth/me").await.is(200);
            let gone = json!({"id": subject, "deleted": true});
            let (erased, created) =
                tokio::join!(provider.tell("user.deleted", gone), author.post("/schedules", schedule()));
            erased.is(204);
            created
        } else {
            let project = ada.project("Doomed").await;
            let (other, path) = (ada.at(&there.address), format!("/projects/{project}"));
            let in_project = with(schedule(), json!({"project_id": project}));
            let (deleted, created) = tokio::join!(ada.delete(&path), other.post("/schedules", in_project));
            deleted.is(204);
            created
        };
        assert!(matches!(created.status, 201 | 401 | 404), "{}", created.text);
        created.status == 201
    })
    .await;
    let created = created.into_iter().filter(|created| *created).count();
    eprintln!("{created} of {} schedules were created", all_rounds());

    let pool = world.pool().await;
    let due = "SELECT count(*) FROM views.schedules WHERE next_at IS NOT NULL";
    eventually("none runs any more", async || count(&pool, due).await == 0).await;
    eventually("nothing is kept of them", async || count(&pool, KEPT).await == 0).await;
    let suspended = "SELECT count(DISTINCT aggregate_id) FROM events WHERE event_type = 'ScheduleSuspended'
                     AND payload->>'reason' IN ('account_erased', 'project_deleted')";
    assert_eq!(count(&pool, suspended).await, i64::try_from(created).expect("a count"));
    let late = "SELECT count(*) FROM events s
                JOIN events e ON e.feed_id = s.feed_id AND e.position < s.position
                             AND e.event_type IN ('AccountErased', 'ProjectDeleted')
                WHERE s.event_type IN ('ScheduleCreated', 'ScheduleTicked', 'JobRequested')";
    assert_eq!(count(&pool, late).await, 0);
    assert_proved(&world).await;
}

/// An erasure deletes what there is beside the log, and then writes its event. It does not see what commits in between.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_an_account_is_erased_goes_with_it() {
    let world = World::new().await;
    let (here, there) = instances(&world).await;
    let grace = here.person("grace").await;
    let pool = world.pool().await;
    let waiting = async |number: i64| {
        eventually("they wait for the log", async || waiting_for_lock(&pool).await >= number).await;
    };
    let lock = hold_lock(&world.database_url).await;
    let creating = tokio::spawn({
        let other = grace.at(&there.address).with_header("idempotency-key", "nightly");
        async move { other.post("/schedules", schedule()).await }
    });
    waiting(1).await;
    let erasing = tokio::spawn({
        let (grace, body) = (grace.clone(), json!({"password": grace.password}).to_string());
        async move { grace.send(Method::DELETE, "/auth/me", Some(body)).await }
    });
    waiting(2).await;
    release(lock).await;
    creating.await.expect("a reply").is(201);
    erasing.await.expect("a reply").is(204);
    eventually("nothing is kept of it", async || count(&pool, KEPT).await == 0).await;
    let replies = format!("SELECT count(*) FROM idempotency_receipts WHERE principal = '{}'", grace.id);
    eventually("no reply is kept", async || count(&pool, &replies).await == 0).await;
    assert_proved(&world).await;
}
