//! A process that only runs jobs, and what it could do in somebody else's hands.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;
use workroom::{
    database,
    event_store::{AppendLimits, AppendRequest, EventLog, Expected, NewEvent, StreamAppend},
};

use crate::support::World;

/// All that a worker's role may touch.
const MAY: [&str; 18] = [
    "DELETE public.workers",
    "INSERT public.view_incarnations",
    "INSERT public.workers",
    "SELECT public._sqlx_migrations",
    "SELECT public.job_inputs",
    "SELECT public.log_epoch",
    "SELECT public.projection_checkpoints",
    "SELECT public.relay_checkpoints",
    "SELECT public.view_incarnations",
    "SELECT public.workers",
    "SELECT workers.aggregate_snapshots",
    "SELECT workers.events",
    "UPDATE public.workers",
    "EXECUTE public.store_job_artifacts",
    "EXECUTE public.store_job_output",
    "EXECUTE public.store_job_progress",
    "EXECUTE public.taken_jobs",
    "EXECUTE workers.append_batch",
];

#[tokio::test]
async fn a_worker_sees_no_credentials_and_touches_only_what_jobs_take() {
    let world = World::new().await;
    let server = world.server().await;
    server.person("ada").await;
    let pool = world.pool().await;
    let may: Vec<String> = sqlx::query_scalar(
        "SELECT privilege || ' ' || n.nspname || '.' || c.relname
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
              unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
         WHERE n.nspname IN ('public', 'views', 'workers') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
           AND has_table_privilege('workroom_worker', c.oid, privilege)
         UNION ALL
         SELECT 'some of ' || n.nspname || '.' || c.relname
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('public', 'views', 'workers') AND c.relkind IN ('r', 'p', 'v', 'm')
           AND NOT has_table_privilege('workroom_worker', c.oid, 'SELECT')
           AND has_any_column_privilege('workroom_worker', c.oid, 'SELECT')
         UNION ALL
         SELECT 'EXECUTE ' || n.nspname || '.' || p.proname
         FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname IN ('public', 'views', 'workers') AND p.prosecdef
           AND has_function_privilege('workroom_worker', p.oid, 'EXECUTE')",
    )
    .fetch_all(&pool)
    .await
    .expect("privileges");
    assert_eq!(BTreeSet::from_iter(may.iter().map(String::as_str)), BTreeSet::from(MAY));

    let mut worker = PgConnection::connect(&world.urls().worker).await.expect("a connection");
    for statement in [
        "SELECT password_hash FROM accounts",
        "SELECT id FROM sessions",
        "SELECT pkcs8 FROM signing_keys",
        "SELECT secret FROM service_secrets",
        "SELECT seed FROM log_signing_keys",
        "SELECT salt FROM log_leaves",
        "SELECT size FROM log_feed_sizes",
        "SELECT token_hash FROM personal_tokens",
        "SELECT token_hash FROM mail_tokens",
        "SELECT ticket_hash FROM realtime_tickets",
        "SELECT token_hash FROM invitation_tokens",
        "SELECT body FROM idempotency_receipts",
        "SELECT payload FROM public.events",
        "SELECT content FROM file_contents",
        "SELECT text FROM job_output_pieces",
        "SELECT content FROM job_artifacts",
        "SELECT message FROM job_progress",
        "SELECT bytes FROM job_storage",
        "UPDATE job_storage SET bytes = 0",
        "INSERT INTO ended_credentials (id) VALUES (gen_random_uuid())",
        "UPDATE log_epoch SET epoch = gen_random_uuid()",
    ] {
        let error = sqlx::query(statement).execute(&mut worker).await.expect_err(statement);
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        assert_eq!(code, "42501", "{statement}: {error}");
    }
    // It sees that there are other events, and nothing of what they say.
    let told: Vec<(String, bool)> = sqlx::query_as(
        "SELECT DISTINCT aggregate_type, payload IS NULL AND metadata IS NULL FROM workers.events ORDER BY 1",
    )
    .fetch_all(&mut worker)
    .await
    .expect("the log");
    assert!(!told.is_empty() && told.iter().all(|(kind, is_silent)| *is_silent || kind == "job"), "{told:?}");
}

#[tokio::test]
async fn a_worker_with_the_least_rights_runs_jobs_and_answers_no_requests() {
    let world = World::new().await;
    let server = world.server_with(&["--roles", "api,live,projector,relay,scheduler"], &[]).await;
    let worker = world.worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    for number in 0..3 {
        let job = ada.run_python(&format!("print({number})"), Some(&project)).await;
        let job = ada.finished(&job).await;
        assert_eq!((&job["status"], &job["result"]["stdout"]), (&json!("completed"), &json!(format!("{number}\n"))));
    }
    let ready = worker.client().get("//ready").await.is(200).json;
    assert!(ready["checks"]["sandbox"]["ok"] == true && ready["checks"]["mails"].is_null(), "{ready}");
    worker.client().get("//health").await.is(200);
    worker.client().get("/auth/me").await.is(404);
    assert!(worker.stop().await);
}

/// An event that a worker tells of.
fn told(event_type: &str, actor: &str, payload: &serde_json::Value) -> NewEvent {
    let metadata = json!({
        "actor": actor, "occurred_at": "2026-11-20T10:00:00Z", "correlation_id": Uuid::nil().to_string(),
    });
    NewEvent {
        event_id: Uuid::now_v7(),
        event_type: event_type.to_owned(),
        event_version: "1".to_owned(),
        payload: payload.to_string(),
        metadata: metadata.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_appends_the_progress_of_jobs_and_nothing_else() {
    let world = World::new().await;
    let server = world.server_with(&["--roles", "api,projector"], &[]).await;
    let ada = server.person("ada").await;
    let project: Uuid = ada.project("Apollo").await.parse().expect("an id");
    let job: Uuid = ada.run_python("print(1)", Some(&project.to_string())).await.parse().expect("an id");
    let pool = database::pool(database::options(&world.urls().worker).expect("options"), 2);
    let log = EventLog::open(pool, AppendLimits::default()).await.expect("the log");
    let append = async |kind: &'static str, id: Uuid, sequence: i64, feed: Uuid, event: NewEvent| {
        let expected = Expected { aggregate_type: kind, aggregate_id: id, sequence };
        let streams = vec![StreamAppend { expected, feed_id: feed, events: vec![event] }];
        log.append(AppendRequest { streams, ..AppendRequest::default() }).await
    };
    let started = json!({"type": "JobStarted", "attempt": 1, "worker_id": Uuid::nil()});
    let (me, her) = ("system:worker", format!("account:{}", ada.id));
    for (kind, id, sequence, feed, event) in [
        ("project", project, 1, project, told("ProjectUpdated", me, &json!({"type": "ProjectUpdated"}))),
        ("membership", Uuid::now_v7(), 0, project, told("MemberAdded", me, &json!({"type": "MemberAdded"}))),
        ("job", job, 1, project, told("JobStarted", &her, &started)),
        ("job", job, 1, project, told("JobCancelled", me, &started)),
        ("job", job, 1, Uuid::now_v7(), told("JobStarted", me, &started)),
        ("job", Uuid::now_v7(), 0, project, told("JobStarted", me, &started)),
        ("job", Uuid::now_v7(), 0, project, told("JobRequested", me, &started)),
    ] {
        let event_type = event.event_type.clone();
        let outcome = append(kind, id, sequence, feed, event).await;
        assert!(outcome.is_err(), "{kind} {event_type}: {outcome:?}");
    }
    let before = ada.history(&project.to_string()).await.len();
    append("job", job, 1, project, told("JobStarted", me, &started)).await.expect("the one thing that it may");
    let history = ada.history(&project.to_string()).await;
    assert_eq!((history.len(), &history[before]["event_type"]), (before + 1, &json!("JobStarted")));
}
