//! How many jobs may wait or run: of an account, a project, an organization, each by itself.

use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::lifecycle::with;
use crate::{
    event_store::log::waiting_for_lock,
    organizations::organization,
    support::{Person, Reply, World, eventually},
};

/// A service that takes jobs, and hands none out.
const ROLES: [&str; 2] = ["--roles", "api,projector,relay"];

/// Submits a job that waits for a time that does not come; without a project where none is named.
async fn submit(person: &Person, project: Option<&str>) -> Reply {
    let job = json!({"type": "noop", "run_at": "2100-01-01T00:00:00Z"});
    let project = project.map_or_else(|| json!({}), |project| json!({"project_id": project}));
    person.post("/jobs", with(job, project)).await
}

async fn of_organization(person: &Person, organization: &str, name: &str) -> String {
    person.post("/projects", json!({"name": name, "organization_id": organization})).await.is(201).id()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_account_a_project_and_an_organization_only_so_many_wait() {
    let world = World::new().await;
    let of_one = async |limit: &str| world.server_with(&ROLES, &[(limit, "1")]).await;
    let (accounts, projects, organizations) = tokio::join!(
        of_one("WORKROOM_OPEN_JOBS_PER_ACCOUNT"),
        of_one("WORKROOM_OPEN_JOBS_PER_PROJECT"),
        of_one("WORKROOM_OPEN_JOBS_PER_ORGANIZATION"),
    );

    // Of an account, wherever they belong.
    let (ada, grace) = (accounts.person("ada").await, accounts.person("grace").await);
    let apollo = ada.project("Apollo").await;
    ada.invite(&apollo, &grace, "collaborator").await;
    submit(&ada, Some(&apollo)).await.is(202);
    for project in [Some(apollo.as_str()), None] {
        let refused = submit(&ada, project).await.refused("too-many-jobs");
        assert_eq!((refused.status, refused.header("retry-after")), (429, "5"));
    }
    submit(&grace, Some(&apollo)).await.is(202);

    // Of a project, whoever submits them.
    let (emmy, vera) = (projects.person("emmy").await, projects.person("vera").await);
    let (gemini, mercury) = (emmy.project("Gemini").await, emmy.project("Mercury").await);
    emmy.invite(&gemini, &vera, "collaborator").await;
    submit(&emmy, Some(&gemini)).await.is(202);
    for person in [&emmy, &vera] {
        assert_eq!(submit(person, Some(&gemini)).await.refused("too-many-jobs").status, 429);
    }
    submit(&emmy, Some(&mercury)).await.is(202);
    submit(&emmy, None).await.is(202);

    // Of an organization, in whatever projects.
    let mary = organizations.person("mary").await;
    let acme = organization(&mary, "Acme").await;
    let (one, other) = (of_organization(&mary, &acme, "One").await, of_organization(&mary, &acme, "Other").await);
    submit(&mary, Some(&one)).await.is(202);
    for project in [&one, &other] {
        assert_eq!(submit(&mary, Some(project)).await.refused("too-many-jobs").status, 429);
    }
    let elsewhere = mary.project("Elsewhere").await;
    submit(&mary, Some(&elsewhere)).await.is(202);
    submit(&mary, None).await.is(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_decided_anew_counts_once() {
    let world = World::new().await;
    let server = world.server_with(&ROLES, &[("WORKROOM_OPEN_JOBS_PER_ACCOUNT", "1")]).await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    // What is decided waits behind this, and finds then that the account has moved.
    let mut log = PgConnection::connect(&world.database_url).await.expect("a connection");
    sqlx::raw_sql("BEGIN; SELECT pg_advisory_xact_lock(7770001)").execute(&mut log).await.expect("the lock");
    let moving = async {
        eventually("it was decided", async || waiting_for_lock(&pool).await > 0).await;
        let moved = sqlx::query(
            "INSERT INTO events (position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence,
                                 event_type, event_version, payload, metadata, recorded_at)
             SELECT (SELECT max(position) FROM events) + 1, gen_random_uuid(), e.feed_id,
                    (SELECT max(feed_seq) FROM events f WHERE f.feed_id = e.feed_id) + 1, e.aggregate_type,
                    e.aggregate_id, e.sequence + 1, e.event_type, e.event_version, e.payload, e.metadata,
                    (SELECT max(recorded_at) FROM events)
             FROM (SELECT * FROM events WHERE aggregate_type = 'account' AND aggregate_id = $1
                   ORDER BY sequence DESC LIMIT 1) AS e",
        );
        let moved = moved.bind(&ada.id).execute(&mut log).await.expect("an event");
        assert_eq!(moved.rows_affected(), 1);
        sqlx::query("COMMIT").execute(&mut log).await.expect("a commit");
    };
    let (submitted, ()) = tokio::join!(submit(&ada, None), moving);
    submitted.is(202);
    submit(&ada, None).await.refused("too-many-jobs");
}
