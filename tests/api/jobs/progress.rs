//! How far jobs say that they are.

use serde_json::{Value, json};

use super::lifecycle::{bash, moment, with};
use crate::support::{Person, World, eventually};

async fn progress(person: &Person, job: &str) -> Value {
    person.get(&format!("/jobs/{job}")).await.is(200).json["progress"].clone()
}

/// What a job says of how far it is, without the time.
fn said(progress: &Value) -> (&Value, &Value) {
    (&progress["percent"], &progress["message"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_tells_how_far_it_is_while_it_runs_and_at_its_end() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let code = "echo '::progress 12.5 begun'; echo more; echo '::progress 400'; sleep 1.2
        echo '::progress 40 on the way'; sleep 30";
    let job = ada.post("/jobs", with(bash(code), json!({"project_id": project}))).await.is(202);
    assert_eq!(job.json["progress"], Value::Null);
    let path = job.id();
    eventually("it has begun", async || said(&progress(&ada, &path).await) == (&json!(12.5), &json!("begun"))).await;
    let running = ada.get(&format!("/jobs/{path}")).await.is(200);
    assert_eq!(running.json["status"], "running");
    let expected = (&json!(40.0), &json!("on the way"));
    eventually("it goes on", async || said(&progress(&ada, &path).await) == expected).await;
    let listed = ada.get(&format!("/jobs?project_id={project}")).await.is(200);
    let later = ada.get(&format!("/jobs/{path}")).await.is(200);
    assert_eq!(listed.items()[0]["progress"], later.json["progress"]);
    assert_ne!(running.header("etag"), later.header("etag"), "there is something new to see");
    let (first, second) = (moment(&running.json["progress"]["at"]), moment(&later.json["progress"]["at"]));
    assert!(second > first, "{first} {second}");
    ada.cancel(&path).await.is(200);
    assert_eq!(said(&progress(&ada, &path).await), expected, "it stays as it was");

    // All at once, the last without an end of its line: its last word is there when its end is.
    let code = "for n in $(seq 99); do echo \"::progress $n\"; done; printf '::progress 100 done'";
    let job = ada.job(bash(code)).await;
    let done = ada.finished(&job).await;
    assert_eq!(said(&done["progress"]), (&json!(100.0), &json!("done")), "{done}");
    let printed = done["result"]["stdout"].as_str().expect("text");
    assert!(printed.starts_with("::progress 1\n") && printed.ends_with("::progress 100 done"), "it is output, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_read_where_no_more_output_is_kept_and_another_attempt_begins_without() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let code = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo '::progress 70 far'; exit 1";
    let job = ada.job(bash(code)).await;
    let failed = ada.finished(&job).await;
    assert_eq!((&failed["status"], &failed["result"]["truncated"]), (&json!("failed"), &json!(true)), "{failed}");
    assert_eq!(said(&failed["progress"]), (&json!(70.0), &json!("far")), "{failed}");

    let pool = world.pool().await;
    let store = async |worker: &str, attempt: i32| {
        sqlx::query(
            "SELECT store_job_progress($1::uuid, ARRAY[$2::uuid], ARRAY[$3], ARRAY[90::float8], ARRAY['late'])",
        )
        .bind(worker)
        .bind(&job)
        .bind(attempt)
        .execute(&pool)
        .await
        .expect("it is passed over, or stored");
    };
    let worker: String = sqlx::query_scalar(
        "SELECT payload->>'worker_id' FROM events WHERE aggregate_id = $1 AND event_type = 'JobStarted'",
    )
    .bind(&job)
    .fetch_one(&pool)
    .await
    .expect("a worker");
    store(&uuid::Uuid::now_v7().to_string(), 1).await;
    store(&worker, 2).await;
    assert_eq!(progress(&ada, &job).await, failed["progress"], "it is another's attempt");

    ada.retry(&job).await.is(200);
    ada.finished(&job).await;
    store(&worker, 1).await;
    assert_eq!(said(&progress(&ada, &job).await), (&json!(70.0), &json!("far")), "of the second attempt");
    let silent = ada.job(bash("[ -e never ]; echo quiet")).await;
    assert_eq!(ada.finished(&silent).await["progress"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_own_jobs_tell_it_too_and_it_goes_with_the_job() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let export = ada.job(json!({"type": "project_export", "project_id": project})).await;
    let exported = ada.finished(&export).await;
    assert_eq!(exported["progress"]["percent"], json!(100.0), "{exported}");
    assert!(exported["progress"]["message"].as_str().is_some_and(|text| text.ends_with(" events")), "{exported}");

    for _ in 0..3 {
        ada.job(json!({"type": "noop", "project_id": project, "run_at": "2100-01-01T00:00:00Z"})).await;
    }
    let control = ada.post("/jobs/cancel", json!({"project_id": project})).await.is(202).id();
    let done = ada.finished(&control).await;
    assert_eq!(said(&done["progress"]), (&json!(100.0), &json!("3 of 3 jobs")), "{done}");

    let own = ada.job(bash("echo '::progress 5 mine'")).await;
    ada.finished(&own).await;
    let pool = world.pool().await;
    let kept = async || -> Vec<String> {
        let kept = sqlx::query_scalar("SELECT job_id::text FROM job_progress ORDER BY job_id");
        kept.fetch_all(&pool).await.expect("rows")
    };
    assert_eq!(kept().await, [export.as_str(), &control, &own]);
    ada.delete(&format!("/jobs/{own}")).await.is(204);
    let bulk = ada.post("/jobs/delete", json!({"project_id": project, "type": "project_export"})).await.is(202).id();
    ada.finished(&bulk).await;
    let left = kept().await;
    assert!(!left.contains(&own) && !left.contains(&export), "{left:?}");
}
