//! What a job may be told, and where that is kept.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::lifecycle::{history, types, with};
use crate::support::{Server, World};

/// Room for bodies beside the limits of what is in them.
const BODIES: [(&str, &str); 1] = [("WORKROOM_BODY_LIMIT_BYTES", "8388608")];

/// A service that takes jobs, and runs none.
async fn api_only(world: &World) -> Server {
    world.server_with(&["--roles", "api,projector"], &BODIES).await
}

fn python(more: Value) -> Value {
    with(json!({"language": "python", "code": "print()"}), more)
}

/// A program of these files.
fn files(entry: &str, files: &[(&str, &str)]) -> Value {
    let files: Vec<_> = files.iter().map(|(path, content)| json!({"path": path, "content": content})).collect();
    json!({"language": "python", "entry": entry, "files": files})
}

/// So many files with so many bytes in each.
fn many(count: usize, bytes: usize) -> Value {
    let content = "#".repeat(bytes);
    let files: Vec<_> = (0..count).map(|number| json!({"path": format!("{number}.py"), "content": content})).collect();
    json!({"language": "python", "entry": "0.py", "files": files})
}

async fn count(pool: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(pool).await.expect("a count")
}

#[tokio::test]
async fn programs_that_cannot_be_run_are_refused_by_field() {
    let world = World::new().await;
    let server = api_only(&world).await;
    let ada = server.person("ada").await;
    let one = [("main.py", "print()")];
    let both = with(files("main.py", &one), json!({"code": "print()"}));
    let without_entry = json!({"language": "python", "files": [{"path": "main.py", "content": ""}]});
    let unknown_field = json!([{"path": "main.py", "content": "", "mode": 7}]);
    for (job, pointer, code) in [
        (both, "/files", "invalid-value"),
        (json!({"language": "python"}), "/code", "missing-field"),
        (without_entry, "/entry", "missing-field"),
        (python(json!({"entry": "main.py"})), "/entry", "invalid-value"),
        (files("other.py", &one), "/entry", "invalid-value"),
        (files("main", &[("main/a.py", "")]), "/entry", "invalid-value"),
        (files("main.py", &[]), "/files", "out-of-range"),
        (files("/main.py", &[("/main.py", "")]), "/files/0/path", "malformed-path"),
        (files("main.py", &[("main.py", ""), ("../up.py", "")]), "/files/1/path", "malformed-path"),
        (files("a/../b.py", &[("a/../b.py", "")]), "/files/0/path", "malformed-path"),
        (files("a//b.py", &[("a//b.py", "")]), "/files/0/path", "malformed-path"),
        (files("main.py", &[("main.py", ""), ("", "")]), "/files/1/path", "empty"),
        (files("main.py", &[("main.py", ""), ("a\nb", "")]), "/files/1/path", "forbidden-character"),
        (files("main.py", &[("main.py", "1"), ("main.py", "2")]), "/files/1/path", "invalid-value"),
        (files("a", &[("a", ""), ("b", ""), ("a/b/c", "")]), "/files/2/path", "invalid-value"),
        (files("a/b/c", &[("a/b/c", ""), ("a/b", "")]), "/files/0/path", "invalid-value"),
        (many(1001, 0), "/files", "out-of-range"),
        (many(2, 512 * 1024 + 1), "/files", "out-of-range"),
        (json!({"language": "python", "entry": "main.py", "files": unknown_field}), "/files/0/mode", "unknown-field"),
        (with(python(json!({})), json!({"language": "cobol"})), "/language", "unknown-language"),
        (with(python(json!({})), json!({"language": "Python"})), "/language", "unknown-language"),
        (json!({"code": "print()"}), "/language", "missing-field"),
    ] {
        ada.post("/jobs", job).await.refused_field(pointer, code);
    }
    assert!(ada.get("/jobs").await.is(200).items().is_empty());
    assert_eq!(count(&world.pool().await, "job_inputs").await, 0, "nothing is kept of what was refused");
}

#[tokio::test]
async fn arguments_and_settings_out_of_bounds_are_refused_by_field() {
    let world = World::new().await;
    let server = api_only(&world).await;
    let ada = server.person("ada").await;
    let long = "x".repeat(4097);
    let variables: serde_json::Map<String, Value> = (0..101).map(|number| (format!("V{number}"), json!(""))).collect();
    let mut cases = vec![
        (json!({"args": vec!["x"; 101]}), "/args".to_owned(), "out-of-range"),
        (json!({"args": ["x", long]}), "/args/1".to_owned(), "out-of-range"),
        (json!({"env": variables}), "/env".to_owned(), "out-of-range"),
        (json!({"env": {"LONG": long}}), "/env/LONG".to_owned(), "out-of-range"),
    ];
    let reserved = ["PATH", "HOME", "LANG", "TMPDIR", "PWD", "SHELL", "LD_PRELOAD", "LD_LIBRARY_PATH"];
    let malformed = ["path", "Mixed", "1ST", "WITH-DASH", "WITH SPACE", "A=B", "Ä", ""];
    for name in reserved.into_iter().chain(malformed) {
        cases.push((json!({"env": {name: "x"}}), format!("/env/{name}"), "invalid-value"));
    }
    cases.push((json!({"env": {"A/B~C": "x"}}), "/env/A~1B~0C".to_owned(), "invalid-value"));
    for (field, value, code) in [
        ("priority", json!(0), "out-of-range"),
        ("priority", json!(6), "out-of-range"),
        ("max_attempts", json!(0), "out-of-range"),
        ("max_attempts", json!(26), "out-of-range"),
        ("max_attempts", json!("3"), "wrong-type"),
        ("run_at", json!("tomorrow"), "invalid-value"),
    ] {
        cases.push((json!({field: value}), format!("/{field}"), code));
    }
    for field in ["key", "fairness_key"] {
        for (key, code) in [
            (String::new(), "empty"),
            (" ".to_owned(), "empty"),
            ("é".repeat(256), "too-long"),
            ("a\u{7}b".to_owned(), "forbidden-character"),
            ("a\nb".to_owned(), "forbidden-character"),
        ] {
            cases.push((json!({field: key}), format!("/{field}"), code));
        }
    }
    for (more, pointer, code) in cases {
        ada.post("/jobs", python(more)).await.refused_field(&pointer, code);
    }
    // Each that does not hold is told.
    let several = python(json!({"priority": 9, "max_attempts": 99, "key": "", "args": [long], "env": {"path": ""}}));
    let refused = ada.post("/jobs", several).await.refused("invalid");
    let pointers: BTreeSet<_> = refused.json["errors"].as_array().expect("errors").iter().map(pointer).collect();
    assert_eq!(pointers, BTreeSet::from(["/priority", "/max_attempts", "/key", "/args/0", "/env/path"]));
    assert!(ada.get("/jobs").await.is(200).items().is_empty());
}

fn pointer(error: &Value) -> &str {
    error["pointer"].as_str().expect("a pointer")
}

#[tokio::test]
async fn a_noop_takes_nothing_that_only_a_program_has() {
    let world = World::new().await;
    let server = api_only(&world).await;
    let ada = server.person("ada").await;
    let program = json!({
        "language": "python", "code": "print()", "files": [], "entry": "main.py", "stdin": "", "args": [], "env": {},
        "timeout_seconds": 5,
    });
    for (field, value) in program.as_object().expect("fields") {
        let noop = json!({"type": "noop", field: value});
        ada.post("/jobs", noop).await.refused_field(&format!("/{field}"), "invalid-value");
    }
    let refused = ada.post("/jobs", with(program, json!({"type": "noop"}))).await.refused("invalid");
    assert_eq!(refused.json["errors"].as_array().map(Vec::len), Some(8), "{}", refused.text);
    let noop = json!({"type": "noop", "priority": 1, "max_attempts": 25, "key": "k", "fairness_key": "f"});
    ada.post("/jobs", noop).await.is(202);
    assert_eq!(count(&world.pool().await, "job_inputs").await, 0, "there is nothing to keep");
}

#[tokio::test]
async fn what_lies_just_within_the_bounds_is_taken() {
    let world = World::new().await;
    let server = api_only(&world).await;
    let ada = server.person("ada").await;
    let variables: serde_json::Map<String, Value> =
        (0..100).map(|number| (format!("_V{number}"), json!("x".repeat(4096)))).collect();
    let full = json!({
        "args": vec!["x".repeat(4096); 100], "env": variables, "stdin": "", "priority": 1, "max_attempts": 25,
        "key": "é".repeat(255), "fairness_key": "Zoë’s 🚀", "timeout_seconds": 300,
    });
    let reply = ada.post("/jobs", with(many(1000, 1000), full.clone())).await.is(202);
    for field in ["priority", "max_attempts", "key", "fairness_key", "timeout_seconds"] {
        assert_eq!(reply.json[field], full[field], "{field}");
    }
    let mut shown = ada.get(&format!("/jobs/{}", reply.id())).await.is(200).json;
    assert_eq!(shown["position"].take(), 1);
    assert_eq!(shown, reply.json);
    for job in [
        many(2, 512 * 1024),
        files("src/deep/main.py", &[("src/deep/main.py", ""), ("src/data", ""), ("src/deeper", "")]),
        python(json!({"priority": 5, "max_attempts": 1, "key": null, "fairness_key": null, "run_at": null})),
    ] {
        ada.post("/jobs", job).await.is(202);
    }
    let defaults = ada.post("/jobs", python(json!({}))).await.is(202).json;
    assert_eq!((&defaults["priority"], &defaults["max_attempts"]), (&json!(3), &json!(1)));
    assert_eq!(count(&world.pool().await, "job_inputs").await, 5);
}

/// The input that is kept of a job: its size, its digest, the digest that the row names, and its text.
async fn kept(pool: &PgPool, job: &str) -> Option<(i32, String, String, String)> {
    sqlx::query_as(
        "SELECT octet_length(content), encode(sha256(content), 'hex'), encode(sha256, 'hex'),
                convert_from(content, 'UTF8')
         FROM job_inputs WHERE job_id = $1::uuid",
    )
    .bind(job)
    .fetch_optional(pool)
    .await
    .expect("an answer")
}

#[tokio::test]
async fn a_program_is_kept_beside_the_log_and_goes_with_its_account() {
    const SECRET: &str = "correct horse battery staple";
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let project = ada.project("Apollo").await;
    ada.invite(&project, &grace, "collaborator").await;
    let job = json!({
        "language": "bash", "code": format!("# {SECRET}\necho fine"), "stdin": SECRET, "args": [SECRET],
        "env": {"PHRASE": SECRET}, "max_attempts": 3,
    });
    let keyed = grace.with_header("idempotency-key", "one");
    let own = keyed.post("/jobs", job.clone()).await.is(202).id();
    let shared = grace.job(with(job, json!({"project_id": project}))).await;

    let pool = world.pool().await;
    let of_account = grace.get("/auth/me/events?limit=100").await.is(200).items().clone();
    let of_account = of_account.into_iter().find(|event| event["aggregate_id"] == own.as_str()).expect("an event");
    let of_project = history(&ada, &project, &shared).await.remove(0);
    for (job, requested) in [(&own, of_account), (&shared, of_project)] {
        let (size, digest, named, text) = kept(&pool, job).await.expect("an input");
        assert_eq!(requested["event_type"], "JobRequested");
        assert_eq!(requested["data"]["source"], json!({"input": {"size": size, "sha256": digest}}));
        assert_eq!(named, digest);
        let text: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&text["stdin"], &text["args"], &text["env"]["PHRASE"]),
            (&json!(SECRET), &json!([SECRET]), &json!(SECRET))
        );
        assert!(!requested.to_string().contains(SECRET), "{requested}");
    }
    for place in ["events WHERE strpos(payload::text, $1) > 0", "idempotency_receipts r WHERE strpos(r::text, $1) > 0"]
    {
        let count = format!("SELECT count(*) FROM {place}");
        let found: i64 = sqlx::query_scalar(&count).bind(SECRET).fetch_one(&pool).await.expect("a count");
        assert_eq!(found, 0, "{place}");
    }

    let password = json!({"password": grace.password}).to_string();
    grace.send(Method::DELETE, "/auth/me", Some(password)).await.is(204);
    assert_eq!(kept(&pool, &own).await, None, "it went with her account");
    assert!(kept(&pool, &shared).await.is_some(), "it belongs to the project");

    // Her own is cancelled; the project's runs.
    let _worker = world.worker().await;
    let done = ada.finished(&shared).await;
    assert_eq!((&done["status"], &done["result"]["stdout"]), (&json!("completed"), &json!("fine\n")), "{done}");
    assert_eq!(types(&history(&ada, &project, &shared).await), ["JobRequested", "JobStarted", "JobSucceeded"]);
    let events = "SELECT event_type FROM events WHERE aggregate_type = 'job' AND aggregate_id = $1 ORDER BY sequence";
    let told: Vec<String> = sqlx::query_scalar(events).bind(&own).fetch_all(&pool).await.expect("events");
    assert_eq!(told, ["JobRequested", "JobCancelled"]);
}

/// What neither Postgres nor JSON can hold would stop the views, and whoever hands out jobs.
#[tokio::test]
async fn a_time_beyond_the_calendar_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    for at in ["0000-06-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00"] {
        let reply = ada.post("/jobs", json!({"type": "noop", "run_at": at})).await.problem(422);
        assert_eq!(reply.json["errors"][0]["pointer"], "/run_at", "{at}: {}", reply.json);
    }
    for at in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        ada.post("/jobs", json!({"type": "noop", "run_at": at})).await.is(202);
    }
    ada.get("/jobs").await.is(200);
}
