//! What becomes of jobs when their worker stops, dies, or stands still.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};
use workroom::clock::now;

use super::{
    lifecycle::{bash, history, moment, types, with},
    sandbox::{alive, unique},
};
use crate::{
    faults::load::assert_proved,
    support::{Person, World, eventually, within},
};

/// A worker that gives programs no time when it is told to stop.
const WITHOUT_GRACE: [(&str, &str); 1] = [("WORKROOM_WORKER_GRACE_SECONDS", "0")];

async fn runs(person: &Person, job: &str) {
    let path = format!("/jobs/{job}");
    eventually("the job runs", async || person.get(&path).await.is(200).json["status"] == "running").await;
}

/// How many workers that run programs are known.
async fn workers(pool: &PgPool) -> i64 {
    let workers = sqlx::query_scalar("SELECT count(*) FROM workers WHERE sandbox_slots > 0");
    workers.fetch_one(pool).await.expect("a count")
}

/// How many slots the workers that run programs have.
async fn slots(pool: &PgPool) -> Vec<i32> {
    let slots = sqlx::query_scalar("SELECT sandbox_slots FROM workers WHERE sandbox_slots > 0 ORDER BY 1");
    slots.fetch_all(pool).await.expect("slots")
}

/// How often the worker that runs programs has said that it lives.
async fn beats(pool: &PgPool) -> Option<i64> {
    let beats = sqlx::query_scalar("SELECT beat FROM workers WHERE sandbox_slots > 0");
    beats.fetch_optional(pool).await.expect("a number")
}

#[tokio::test]
async fn a_job_that_its_worker_hands_back_is_run_by_the_next_however_often() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    let job = ada.job(with(bash("sleep 3; echo done"), json!({"project_id": project}))).await;
    for round in 1..=5 {
        let worker = world.worker_with(&WITHOUT_GRACE).await;
        runs(&ada, &job).await;
        assert!(worker.stop().await);
        assert_eq!(workers(&pool).await, 0, "it has taken its leave");
        let events = history(&ada, &project, &job).await;
        let last = &events[events.len() - 1];
        assert_eq!(last["event_type"], "JobInterrupted", "{last}");
        assert_eq!(last["actor"], "system:worker");
        assert_eq!((&last["data"]["cause"], &last["data"]["uncounted"]), (&json!("worker_stopped"), &json!(round)));
        let path = format!("/jobs/{job}");
        eventually("it waits again", async || ada.get(&path).await.is(200).json["status"] == "pending").await;
    }
    let _worker = world.worker().await;
    let done = ada.finished(&job).await;
    assert_eq!((&done["status"], &done["result"]["stdout"]), (&json!("completed"), &json!("done\n")), "{done}");
    assert_eq!(done["attempts"], 1, "an interruption is no attempt: {done}");
    let round = ["JobStarted", "JobInterrupted"];
    let expected = [&["JobRequested"][..], &round.repeat(5)[..], &["JobStarted", "JobSucceeded"][..]].concat();
    assert_eq!(types(&history(&ada, &project, &job).await), expected);
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_lets_programs_end() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    let worker = world.worker_with(&[("WORKROOM_WORKER_GRACE_SECONDS", "20")]).await;
    let job = ada.job(with(bash("sleep 2; echo done"), json!({"project_id": project}))).await;
    runs(&ada, &job).await;
    assert!(worker.stop().await);
    assert_eq!(types(&history(&ada, &project, &job).await), ["JobRequested", "JobStarted", "JobSucceeded"]);
    assert_eq!(ada.finished(&job).await["result"]["stdout"], "done\n");
    assert_eq!(workers(&pool).await, 0, "it has taken its leave");
}

#[tokio::test]
async fn the_jobs_of_a_killed_worker_run_again_soon() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let worker = world.worker().await;
    let job = ada.job(with(bash("sleep 2; echo done"), json!({"project_id": project}))).await;
    runs(&ada, &job).await;
    let _heir = world.worker().await;
    worker.kill9().await;
    let killed = now();
    let done = ada.finished(&job).await;
    assert_eq!((&done["status"], &done["attempts"]), (&json!("completed"), &json!(1)), "{done}");
    let events = history(&ada, &project, &job).await;
    let expected = ["JobRequested", "JobStarted", "JobInterrupted", "JobStarted", "JobSucceeded"];
    assert_eq!(types(&events), expected);
    assert_eq!((&events[2]["data"]["cause"], &events[2]["data"]["uncounted"]), (&json!("worker_lost"), &json!(1)));
    let took = moment(&events[3]["occurred_at"]) - killed;
    assert!(took <= Duration::from_secs(5), "run again only after {took}");
    eprintln!("run again after {took}");
    assert_eq!(workers(&world.pool().await).await, 1, "the lost one is known no longer");
}

/// The worker that took the latest attempt of a job.
async fn worker_of(person: &Person, project: &str, job: &str) -> Value {
    let events = history(person, project, job).await;
    let started = events.iter().rfind(|event| event["event_type"] == "JobStarted").expect("an attempt");
    started["data"]["worker_id"].clone()
}

#[tokio::test]
async fn a_worker_that_stood_still_ends_nothing_and_begins_anew() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let in_project = json!({"project_id": project});
    let worker = world.worker().await;
    let job = ada.job(with(bash("sleep 1; echo done"), in_project.clone())).await;
    runs(&ada, &job).await;
    let before = worker_of(&ada, &project, &job).await;
    let frozen = worker.freeze();
    let heir = world.worker().await;
    // Its own program has ended long before, and it does not know.
    let done = ada.finished(&job).await;
    assert_eq!((&done["status"], &done["attempts"]), (&json!("completed"), &json!(1)), "{done}");
    assert_ne!(worker_of(&ada, &project, &job).await, before);
    drop(frozen);
    assert!(heir.stop().await);
    let next = ada.job(with(bash("echo next"), in_project)).await;
    assert_eq!(ada.finished(&next).await["result"]["stdout"], "next\n");
    assert_ne!(worker_of(&ada, &project, &next).await, before, "it goes by another name now");

    let events = history(&ada, &project, &job).await;
    let expected = ["JobRequested", "JobStarted", "JobInterrupted", "JobStarted", "JobSucceeded"];
    assert_eq!(types(&events), expected);
    assert_eq!(events[2]["data"]["cause"], "worker_lost");
    assert_proved(&world, &world.pool().await).await;
}

#[tokio::test]
async fn a_job_is_stopped_although_nats_is_away() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let _worker = world.worker().await;
    let marker = unique(5200);
    let job = ada.job(bash(&format!("sleep {marker}"))).await;
    eventually("the program runs", async || alive(&marker)).await;
    world.nats().kill9().await;
    assert_eq!(ada.cancel(&job).await.is(200).json["status"], "cancelled");
    let took = within(Duration::from_secs(3), "the program is dead", async || !alive(&marker)).await;
    eprintln!("dead {took:?} after the reply");
    world.nats().restart().await.expect("NATS again");
    let next = ada.job(bash("true")).await;
    assert_eq!(ada.finished(&next).await["status"], "completed");
}

#[tokio::test]
async fn a_worker_lives_although_all_common_connections_wait() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let pool = world.pool().await;
    let two = [("WORKROOM_DATABASE_CONNECTIONS", "2"), ("WORKROOM_WORKER_SLOTS", "2")];
    let _worker = world.worker_with(&two).await;
    // Others may read, but what programs leave cannot be stored.
    let mut holder = PgConnection::connect(&world.database_url).await.expect("a connection");
    for statement in ["BEGIN", "LOCK TABLE job_artifacts IN EXCLUSIVE MODE"] {
        sqlx::query(statement).execute(&mut holder).await.expect("a lock");
    }
    let leaves_a_file = with(bash("mkdir -p artifacts; echo kept > artifacts/file"), json!({"project_id": project}));
    let jobs = [ada.job(leaves_a_file.clone()).await, ada.job(leaves_a_file).await];
    eventually("both connections wait", async || {
        let waiting = sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
             WHERE d.datname = current_database() AND l.relation = 'job_artifacts'::regclass AND NOT l.granted",
        );
        let waiting: i64 = waiting.fetch_one(&pool).await.expect("a count");
        waiting == 2
    })
    .await;
    // For longer than the dispatcher waits for a worker that is silent.
    let before = beats(&pool).await.expect("a worker");
    eventually("it says that it lives", async || beats(&pool).await.is_none_or(|beats| beats >= before + 6)).await;
    sqlx::query("COMMIT").execute(&mut holder).await.expect("no lock");
    for job in &jobs {
        let done = ada.finished(job).await;
        assert_eq!((&done["status"], &done["attempts"]), (&json!("completed"), &json!(1)), "{done}");
        assert_eq!(types(&history(&ada, &project, job).await), ["JobRequested", "JobStarted", "JobSucceeded"]);
    }
}

#[tokio::test]
async fn a_worker_that_begins_without_nats_says_that_it_lives() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    world.nats().kill9().await;
    let _worker = world.worker().await;
    eventually("it says that it lives", async || beats(&pool).await.is_some_and(|beats| beats >= 4)).await;
    world.nats().restart().await.expect("NATS again");
    let job = ada.job(bash("true")).await;
    assert_eq!(ada.finished(&job).await["status"], "completed");
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_gives_its_free_slots_back() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let worker = [("WORKROOM_WORKER_SLOTS", "3"), ("WORKROOM_WORKER_GRACE_SECONDS", "20")];
    let worker = world.worker_with(&worker).await;
    let jobs = [ada.job(bash("sleep 60")).await, ada.job(bash("sleep 60")).await];
    for job in &jobs {
        runs(&ada, job).await;
    }
    assert_eq!(slots(&pool).await, [3]);
    let (ended_well, ()) = tokio::join!(worker.stop(), async {
        eventually("it has what it uses", async || slots(&pool).await == [2]).await;
        ada.cancel(&jobs[0]).await.is(200);
        eventually("one less", async || slots(&pool).await == [1]).await;
        ada.cancel(&jobs[1]).await.is(200);
    });
    assert!(ended_well);
    assert_eq!(workers(&pool).await, 0, "it has taken its leave");
}

#[tokio::test]
async fn others_run_what_comes_while_a_worker_waits_for_its_programs() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let pool = world.pool().await;
    let worker = [("WORKROOM_WORKER_SLOTS", "2"), ("WORKROOM_WORKER_GRACE_SECONDS", "20")];
    let worker = world.worker_with(&worker).await;
    let long = ada.job(bash("sleep 60")).await;
    runs(&ada, &long).await;
    let _other = world.worker_with(&[("WORKROOM_WORKER_SLOTS", "1")]).await;
    eventually("both are there", async || slots(&pool).await == [1, 2]).await;
    let (ended_well, ()) = tokio::join!(worker.stop(), async {
        eventually("it takes nothing more", async || slots(&pool).await == [1, 1]).await;
        for _ in 0..3 {
            let job = format!("/jobs/{}", ada.job(bash("true")).await);
            within(Duration::from_secs(5), "the other runs it", async || {
                ada.get(&job).await.is(200).json["status"] == "completed"
            })
            .await;
        }
        assert_eq!(ada.get(&format!("/jobs/{long}")).await.is(200).json["status"], "running");
        ada.cancel(&long).await.is(200);
    });
    assert!(ended_well);
}
