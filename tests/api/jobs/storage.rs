//! How much is kept of what jobs print and leave.

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use super::lifecycle::{bash, with};
use crate::support::{Person, World, eventually};

/// A quota of a thousand bytes.
const THOUSAND: [(&str, &str); 1] = [("WORKROOM_JOB_STORAGE_BYTES_PER_ORGANIZATION", "1000")];

/// A program that prints so many bytes.
fn prints(bytes: usize) -> Value {
    bash(&format!("printf '%0{bytes}d' 0"))
}

/// Runs a job to its end; returns it with how many bytes are kept of what it printed, and whether it says that there
/// was more.
async fn run(person: &Person, job: Value, project: &str) -> (Value, usize, bool) {
    let id = person.job(with(job, json!({"project_id": project}))).await;
    let done = person.finished(&id).await;
    assert_eq!(done["status"], "completed", "{done}");
    let printed = done["result"]["stdout"].as_str().expect("an output").len();
    let is_truncated = done["result"]["truncated"].as_bool().expect("whether there was more");
    (done, printed, is_truncated)
}

/// How many bytes are counted for the owner of a job.
async fn counted(pool: &PgPool, job: &Value) -> i64 {
    let asked = "SELECT s.bytes FROM job_storage s JOIN jobs j ON s.owner = COALESCE(j.organization_id, j.submitted_by)
                 WHERE j.id = $1::uuid";
    let job = job["id"].as_str().expect("an id");
    sqlx::query_scalar(asked).bind(job).fetch_one(pool).await.expect("a number of bytes")
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_quota_nothing_is_kept_until_something_is_deleted() {
    let world = World::new().await;
    let server = world.server_with(&[], &THOUSAND).await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let (apollo, mercury) = (ada.project("Apollo").await, grace.project("Mercury").await);
    let pool = world.pool().await;
    let (first, printed, is_truncated) = run(&ada, prints(800), &apollo).await;
    assert_eq!((printed, is_truncated, counted(&pool, &first).await), (800, false, 800));

    let leaves = "mkdir -p artifacts; echo kept > artifacts/a; printf '%0500d' 0 > artifacts/b; echo > artifacts/c";
    let (second, _, is_truncated) = run(&ada, bash(leaves), &apollo).await;
    assert_eq!(second["result"]["artifacts"], json!([{"path": "a", "size": 5}]), "{second}");
    let note = second["result"]["stderr"].as_str().expect("an output");
    assert!(note.starts_with("2 artifacts were not kept") && !is_truncated, "{second}");

    let (third, printed, is_truncated) = run(&ada, prints(500), &apollo).await;
    assert!(printed < 200 && is_truncated, "{third}");
    assert!(counted(&pool, &third).await <= 1000);

    // Others have a quota of their own, and so has she for jobs that belong to no project.
    let (other, printed, is_truncated) = run(&grace, prints(900), &mercury).await;
    assert_eq!((printed, is_truncated, counted(&pool, &other).await), (900, false, 900));
    let own = ada.job(prints(900)).await;
    let own = ada.finished(&own).await;
    assert_eq!((&own["result"]["truncated"], counted(&pool, &own).await), (&json!(false), 900), "{own}");

    let before = counted(&pool, &third).await;
    ada.delete(&format!("/jobs/{}", first["id"].as_str().expect("an id"))).await.is(204);
    assert_eq!(counted(&pool, &third).await, before - 800);
    let (again, printed, is_truncated) = run(&ada, prints(500), &apollo).await;
    assert_eq!((printed, is_truncated), (500, false), "{again}");
    assert_eq!(counted(&pool, &other).await, 900, "another organization is not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_had_its_time_makes_room() {
    let world = World::new().await;
    let server = world.server_with(&[], &THOUSAND).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    let leaves = "mkdir -p artifacts; printf '%0100d' 0 > artifacts/a; printf '%0900d' 0";
    let (job, printed, is_truncated) = run(&ada, bash(leaves), &project).await;
    assert_eq!((printed, is_truncated, counted(&pool, &job).await), (900, false, 1000));
    for table in ["job_output_pieces", "job_artifacts"] {
        let age = format!("UPDATE {table} SET created_at = now() - interval '2 days'");
        sqlx::query(&age).execute(&pool).await.expect("an update");
    }
    assert!(server.stop().await);
    let second = world.server_with(&[], &[THOUSAND[0], ("WORKROOM_JOB_DATA_DAYS", "1")]).await;
    eventually("there is room again", async || counted(&pool, &job).await == 0).await;
    let (again, printed, is_truncated) = run(&ada.at(&second.address), prints(1000), &project).await;
    assert_eq!((printed, is_truncated), (1000, false), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_exported_as_far_as_there_is_room() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_JOB_STORAGE_BYTES_PER_ORGANIZATION", "250")]).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let export = json!({"type": "project_export", "after": 0});
    let (job, printed, is_truncated) = run(&ada, export, &project).await;
    let result = &job["result"];
    assert!(is_truncated && result["artifacts"] == json!([]) && printed > 0, "{job}");
    let told: Value = serde_json::from_str(result["stdout"].as_str().expect("an output")).expect("JSON");
    assert_eq!((&told["events"], &told["last"], &told["files"]), (&json!(0), &json!(0), &json!(0)), "{told}");
    assert_eq!(result["stderr"], "there is no room for more: go on with \"after\": 0\n");
}

/// Whoever runs the jobs that are not submitted here, but written into the log.
const WORKER: Uuid = Uuid::from_u128(7);

/// Writes a job that runs into the log.
async fn plant(pool: &PgPool, place: i64, organization: Option<Uuid>, account: Uuid) -> Uuid {
    let job = Uuid::now_v7();
    let requested = json!({"type": "JobRequested", "organization_id": organization, "submitted_by": account});
    let started = json!({"type": "JobStarted", "attempt": 1, "worker_id": WORKER});
    for (sequence, event, payload) in [(1, "JobRequested", requested), (2, "JobStarted", started)] {
        sqlx::query(
            "INSERT INTO events (position, event_id, feed_id, feed_seq, aggregate_type, aggregate_id, sequence,
                                 event_type, event_version, payload, metadata, recorded_at)
             VALUES ($1, gen_random_uuid(), $2, $3, 'job', $2::text, $3, $4, '2', $5::text::json, '{}', now())",
        )
        .bind(place * 2 + sequence)
        .bind(job)
        .bind(sequence)
        .bind(event)
        .bind(payload.to_string())
        .execute(pool)
        .await
        .expect("an event");
    }
    job
}

/// Has pieces of output stored, one of each job; returns the jobs of which something was dropped.
async fn store_output(pool: &PgPool, jobs: &[Uuid], seq: i32, text: &str, quota: i64) -> Vec<Uuid> {
    let (late, dropped): (Vec<Uuid>, Vec<Uuid>) =
        sqlx::query_as("SELECT others, dropped FROM store_job_output($1, $2, $3, $4, $5, $6, $7)")
            .bind(WORKER)
            .bind(jobs)
            .bind(vec![1_i32; jobs.len()])
            .bind(vec![seq; jobs.len()])
            .bind(vec!["stdout"; jobs.len()])
            .bind(vec![text; jobs.len()])
            .bind(quota)
            .fetch_one(pool)
            .await
            .expect("stored");
    assert!(late.is_empty(), "{late:?}");
    dropped
}

/// Has files stored; returns how many were dropped.
async fn store_artifacts(pool: &PgPool, job: Uuid, paths: &[String], size: usize, quota: i64) -> i32 {
    sqlx::query_scalar("SELECT store_job_artifacts($1, $2, 1, $3, $4, $5)")
        .bind(WORKER)
        .bind(job)
        .bind(paths)
        .bind(vec![vec![0_u8; size]; paths.len()])
        .bind(quota)
        .fetch_one(pool)
        .await
        .expect("stored")
}

/// What is counted for each owner, and what there is, by the order of owners.
async fn counts(pool: &PgPool) -> Vec<(i64, i64)> {
    sqlx::query_as(
        "SELECT s.bytes, (SELECT COALESCE(sum(octet_length(text)), 0) FROM job_output_pieces p WHERE p.owner = s.owner)
                         + (SELECT COALESCE(sum(octet_length(content)), 0) FROM job_artifacts a WHERE a.owner = s.owner)
         FROM job_storage s ORDER BY s.owner",
    )
    .fetch_all(pool)
    .await
    .expect("counts")
}

/// The next of a row of numbers that look like chance, below a limit.
fn next(state: &mut u64, limit: u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from((*state >> 33) % limit).expect("a small number")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_what_there_is_after_many_stores_and_deletions() {
    const QUOTA: i64 = 3000;
    const TASKS: i32 = 4;
    let world = World::new().await;
    let pool = world.pool().await;
    let (account, organizations) = (Uuid::now_v7(), [Uuid::now_v7(), Uuid::now_v7()]);
    let owners = [Some(organizations[0]), Some(organizations[0]), Some(organizations[1]), None];
    let mut jobs = Vec::new();
    for (place, owner) in (0..).zip(owners) {
        jobs.push(plant(&pool, place, owner, account).await);
    }
    let jobs = &jobs;
    let work = |task: i32| {
        let pool = pool.clone();
        async move {
            let (mut state, mut dropped) = (u64::from(task.unsigned_abs()) + 1, 0);
            for number in 0..50 {
                // Each task deletes what it has stored itself: the rows of owners are all that they meet at.
                let (some, size) = ([jobs[next(&mut state, 4)]], next(&mut state, 400));
                match next(&mut state, 5) {
                    0 | 1 => {
                        let text = "a".repeat(size + 1);
                        dropped += store_output(&pool, jobs, number * TASKS + task, &text, QUOTA).await.len();
                    }
                    2 | 3 => {
                        let paths = [format!("{task}/{number}/a"), format!("{task}/{number}/b")];
                        let lost = store_artifacts(&pool, some[0], &paths, size, QUOTA).await;
                        dropped += usize::try_from(lost).expect("a number");
                    }
                    _ => {
                        let pieces = "DELETE FROM job_output_pieces WHERE job_id <> ALL ($1) AND seq % $2 = $3";
                        let pieces = sqlx::query(pieces).bind(&some[..]).bind(TASKS).bind(task);
                        pieces.execute(&pool).await.expect("a deletion");
                        let files = "DELETE FROM job_artifacts WHERE path LIKE $1 || '/%'";
                        sqlx::query(files).bind(task.to_string()).execute(&pool).await.expect("a deletion");
                    }
                }
                let counts = counts(&pool).await;
                assert!(counts.iter().all(|(counted, is)| counted == is && *counted <= QUOTA), "{counts:?}");
            }
            dropped
        }
    };
    let dropped: usize = join_all((0..TASKS).map(work)).await.into_iter().sum();
    assert!(dropped > 0, "the quota was never reached: the test proves nothing");
    assert_eq!(counts(&pool).await.len(), 3, "two organizations and an account");

    // A worker of the version before: what it stores is not counted, and neither is that it goes.
    let before = counts(&pool).await;
    sqlx::query("SELECT store_job_output($1, $2, '{1}', '{1000000}', '{stdout}', '{old}')")
        .bind(WORKER)
        .bind(&jobs[..1])
        .execute(&pool)
        .await
        .expect("stored");
    assert_eq!(counts(&pool).await, before);
    for table in ["job_output_pieces", "job_artifacts"] {
        sqlx::query(&format!("DELETE FROM {table}")).execute(&pool).await.expect("a deletion");
    }
    assert_eq!(counts(&pool).await, [(0, 0); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_store_in_the_same_moment_counts_and_no_quota_is_no_bound() {
    let world = World::new().await;
    let pool = world.pool().await;
    let job = plant(&pool, 0, Some(Uuid::now_v7()), Uuid::now_v7()).await;
    // 60 of 100 bytes, which nobody sees yet.
    let mut other = PgConnection::connect(&world.database_url).await.expect("a connection");
    let first = format!(
        "SELECT store_job_artifacts('{WORKER}', '{job}', 1, '{{first}}', ARRAY[decode(repeat('00', 60), 'hex')], 100)"
    );
    for statement in ["BEGIN", &first] {
        sqlx::query(statement).execute(&mut other).await.expect("a statement");
    }
    let paths = ["second".to_owned(), "third".to_owned()];
    let second = tokio::spawn({
        let (pool, paths) = (pool.clone(), paths.clone());
        async move { store_artifacts(&pool, job, &paths, 40, 100).await }
    });
    eventually("it waits for the other", async || {
        let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                                      AND wait_event_type = 'Lock')";
        sqlx::query_scalar::<_, bool>(waiting).fetch_one(&pool).await.expect("whether it waits")
    })
    .await;
    sqlx::query("COMMIT").execute(&mut other).await.expect("a commit");
    assert_eq!(second.await.expect("stored"), 1);
    assert_eq!(counts(&pool).await, [(100, 100)]);
    // Whoever had no reply comes again.
    assert_eq!(store_artifacts(&pool, job, &paths, 40, 100).await, 1);
    assert_eq!(store_artifacts(&pool, job, &paths, 40, 0).await, 0);
    assert!(store_output(&pool, &[job], 1, "more", 0).await.is_empty());
    assert_eq!(counts(&pool).await, [(144, 144)]);
}
