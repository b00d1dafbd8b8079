//! What a job may be told, and where that is kept.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::lifecycle::{history, types, with};
use crate::support::{Server, World};

/// Room for bodies beside the limits of what is in them.
const BODIES: [(&str, &str); 1] = [("WORKROOM_BODY_LIMIT_BYTES", "8388608")];

/// Bytes of all arguments together, and of all variables with their names.
const TOGETHER: usize = 128 * 1024;

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

/// So many texts with so many bytes together; one is as long as one may be.
fn texts(count: usize, bytes: usize) -> Vec<String> {
    let rest = bytes - 4096;
    let each = rest / (count - 1);
    let mut texts = vec!["x".repeat(each); count];
    texts[0] = "x".repeat(4096);
    texts[1] = "x".repeat(rest - each * (count - 2));
    texts
}

/// A hundred variables with so many bytes together, their names included. Two have names that look as if they were
/// taken, and one has a name that is as long as one may be.
fn variables(bytes: usize) -> serde_json::Map<String, Value> {
    let taken = [("TMPDIR", "/tmp"), ("SHELL", "/bin/sh")];
    let mut names: Vec<String> = (1..98).map(|number| format!("_V{number}")).collect();
    names.push(format!("_V{}", "X".repeat(126)));
    let of_taken: usize = taken.iter().map(|(name, value)| name.len() + value.len()).sum();
    let values = texts(names.len(), bytes - of_taken - names.iter().map(String::len).sum::<usize>());
    let taken = taken.into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
    names.into_iter().zip(values.into_iter().map(Value::from)).chain(taken).collect()
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
    let many: serde_json::Map<String, Value> = (0..101).map(|number| (format!("V{number}"), json!(""))).collect();
    let long_name = "N".repeat(129);
    let mut cases = vec![
        (json!({"args": vec!["x"; 101]}), "/args".to_owned(), "out-of-range"),
        (json!({"args": ["x", long]}), "/args/1".to_owned(), "out-of-range"),
        (json!({"args": texts(100, TOGETHER + 1)}), "/args".to_owned(), "out-of-range"),
        (json!({"args": vec!["x".repeat(4096); 33]}), "/args".to_owned(), "out-of-range"),
        (json!({"env": many}), "/env".to_owned(), "out-of-range"),
        (json!({"env": {"LONG": long}}), "/env/LONG".to_owned(), "out-of-range"),
        (json!({"env": variables(TOGETHER + 1)}), "/env".to_owned(), "out-of-range"),
        // No text of any request may have it.
        (json!({"args": ["x", "a\0b"]}), String::new(), "forbidden-character"),
        (json!({"env": {"A": "a\0b"}}), String::new(), "forbidden-character"),
    ];
    let reserved = "PATH HOME LANG PWD LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_ GLIBC_TUNABLES OLDPWD SHLVL _ IFS ENV \
                    PPID UID EUID OPTIND OPTARG OPTERR PS1 PS2 PS3 PS4 SHELLOPTS POSIXLY_CORRECT CDPATH FUNCNEST BASH \
                    BASH_ENV BASHOPTS";
    let malformed = ["path", "Mixed", "1ST", "WITH-DASH", "WITH SPACE", "A=B", "Ä", "A\nB", "", long_name.as_str()];
    for name in reserved.split_whitespace().chain(malformed) {
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
    // It is the same for programs of workspaces, and for jobs of schedules.
    let workspace = "01900000-0000-7000-8000-000000000000";
    let program = json!({"language": "python", "entry": "main.py", "workspace_id": workspace, "env": {"IFS": "x"}});
    ada.post("/jobs", program).await.refused_field("/env/IFS", "invalid-value");
    for (more, pointer, code) in [
        (json!({"env": {"IFS": "x"}}), "/job/env/IFS", "invalid-value"),
        (json!({"args": texts(100, TOGETHER + 1)}), "/job/args", "out-of-range"),
    ] {
        let schedule = json!({"every_seconds": 60, "job": python(more)});
        ada.post("/schedules", schedule).await.refused_field(pointer, code);
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

/// Prints how much a program was given.
const MEASURE: &str = "import os, sys
own = [(name, value) for name, value in os.environ.items() if name.startswith('_V')]
print(len(sys.argv) - 1, sum(map(len, sys.argv[1:])), len(own), sum(len(name + value) for name, value in own))
print(os.environ['TMPDIR'], os.environ['SHELL'], len([name for name in os.listdir() if name.endswith('.py')]))";

#[tokio::test]
async fn what_lies_just_within_the_bounds_is_taken_and_run() {
    let world = World::new().await;
    let server = world.server_with(&["--roles", "api,live,projector,relay,scheduler"], &BODIES).await;
    let ada = server.person("ada").await;
    let full = json!({
        "args": texts(100, TOGETHER), "env": variables(TOGETHER), "stdin": "", "priority": 1, "max_attempts": 25,
        "key": "é".repeat(255), "fairness_key": "Zoë’s 🚀", "timeout_seconds": 300,
    });
    let mut program = with(many(1000, 1000), full.clone());
    program["files"][0]["content"] = json!(MEASURE);
    let reply = ada.post("/jobs", program).await.is(202);
    for field in ["priority", "max_attempts", "key", "fairness_key", "timeout_seconds"] {
        assert_eq!(reply.json[field], full[field], "{field}");
    }
    let mut shown = ada.get(&format!("/jobs/{}", reply.id())).await.is(200).json;
    assert_eq!(shown["position"].take(), 1);
    assert_eq!(shown, reply.json);
    let mut jobs = Vec::new();
    for job in [
        many(2, 512 * 1024),
        files("src/deep/main.py", &[("src/deep/main.py", ""), ("src/data", ""), ("src/deeper", "")]),
        python(json!({"priority": 5, "max_attempts": 1, "key": null, "fairness_key": null, "run_at": null})),
    ] {
        jobs.push(ada.job(job).await);
    }
    let defaults = ada.post("/jobs", python(json!({}))).await.is(202).json;
    assert_eq!((&defaults["priority"], &defaults["max_attempts"]), (&json!(3), &json!(1)));
    assert_eq!(count(&world.pool().await, "job_inputs").await, 5);

    let _worker = world.worker().await;
    let done = ada.finished(&reply.id()).await;
    let result = &done["result"];
    assert_eq!((&done["status"], &result["stderr"]), (&json!("completed"), &json!("")), "{done}");
    // All but the two variables that are shown have 22 bytes less.
    let measured = format!("100 {TOGETHER} 98 {}\n/tmp /bin/sh 1000\n", TOGETHER - 22);
    assert_eq!(result["stdout"], measured);
    for job in jobs {
        assert_eq!(ada.finished(&job).await["status"], "completed");
    }
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
