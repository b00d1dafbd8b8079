//! What becomes of a job: output, exit codes, limits, and the events that tell.

use serde_json::{Value, json};

use crate::support::{Person, World};

async fn run(ada: &Person, language: &str, code: &str, more: Value) -> Value {
    let mut job = json!({"type": "code_execution", "language": language, "code": code, "timeout_seconds": 20});
    for (field, value) in more.as_object().expect("fields") {
        job[field] = value.clone();
    }
    let id = ada.post("/jobs", job).await.is(202).id();
    ada.finished(&id).await
}

#[tokio::test]
async fn every_language_reads_prints_and_exits() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for (language, code) in [
        ("python", "import sys\nprint(input() + '!')\nprint('oops', file=sys.stderr)\nsys.exit(3)"),
        (
            "javascript",
            "const name = require('fs').readFileSync(0, 'utf8').trim();\n\
             console.log(name + '!');\nconsole.error('oops');\nprocess.exit(3);",
        ),
        ("bash", "read name\necho \"$name!\"\necho oops >&2\nexit 3"),
    ] {
        let job = run(&ada, language, code, json!({"stdin": "Grace\n"})).await;
        assert_eq!(job["status"], "failed", "{language}: a program that reports failure has failed: {job}");
        assert_eq!(job["result"]["stdout"], "Grace!\n", "{language}");
        assert_eq!(job["result"]["stderr"], "oops\n", "{language}");
        assert_eq!(job["result"]["exit_code"], 3, "{language}");
        assert_eq!(job["attempts"], 1, "{language}: one attempt unless more were asked for");
    }
}

#[tokio::test]
async fn a_program_that_does_not_end_is_ended() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let job = run(&ada, "python", "print('begun', flush=True)\nwhile True: pass", json!({"timeout_seconds": 1})).await;
    assert_eq!(job["status"], "failed");
    assert_eq!(job["result"]["limit_hit"], "time");
    assert_eq!(job["result"]["exit_code"], Value::Null);
    assert_eq!(job["result"]["stdout"], "begun\n");
    assert!(job["result"]["execution_time_ms"].as_i64().is_some_and(|ms| (1000..10_000).contains(&ms)), "{job}");
}

#[tokio::test]
async fn a_flood_of_output_is_cut_and_said_to_be() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let job = run(&ada, "python", "print('x' * 1_000_000)", json!({})).await;
    assert_eq!(job["status"], "completed");
    assert_eq!(job["result"]["truncated"], true);
    assert_eq!(job["result"]["stdout"].as_str().map(str::len), Some(64 * 1024));
}

#[tokio::test]
async fn the_feed_tells_a_jobs_life_and_who_caused_it() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let good = ada.run_python("print(1)", Some(&project)).await;
    ada.finished(&good).await;
    let bad = ada.run_python("raise SystemExit(1)", Some(&project)).await;
    ada.finished(&bad).await;
    let history = ada.history(&project).await;
    let told: Vec<(&str, &str)> = history
        .iter()
        .skip(2)
        .map(|event| (event["event_type"].as_str().expect("a type"), event["actor"].as_str().expect("an actor")))
        .collect();
    let ada_id = ada.id.as_str();
    assert_eq!(
        told,
        [
            ("JobRequested", ada_id),
            ("JobStarted", "system:worker"),
            ("JobSucceeded", "system:worker"),
            ("JobRequested", ada_id),
            ("JobStarted", "system:worker"),
            ("JobAttemptFailed", "system:worker"),
            ("JobDeadLettered", "system:worker"),
        ]
    );
    assert!(history.iter().all(|event| !event.to_string().contains("stdout")), "output stays outside the log");
}

#[tokio::test]
async fn many_jobs_all_run_once() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let submitted = futures::future::join_all((0..24).map(|n| {
        let (ada, project) = (ada.clone(), project.clone());
        async move { ada.run_python(&format!("print({n})"), Some(&project)).await }
    }))
    .await;
    for (n, job) in submitted.iter().enumerate() {
        let job = ada.finished(job).await;
        assert_eq!(job["result"]["stdout"], format!("{n}\n"));
        assert_eq!(job["attempts"], 1);
    }
    let history = ada.history(&project).await;
    let succeeded = history.iter().filter(|event| event["event_type"] == "JobSucceeded").count();
    assert_eq!(succeeded, submitted.len());
}
