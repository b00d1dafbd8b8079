//! Jobs whose program lies in a workspace.

use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::lifecycle::{history, with};
use crate::{
    support::{Person, Reply, Server, World, rounds_of},
    workspaces::{file, workspace},
};

/// A service that takes jobs, and runs none.
async fn api_only(world: &World) -> Server {
    world.server_with(&["--roles", "api,projector"], &[]).await
}

/// A program of the files of a workspace.
fn program(workspace: &str, entry: &str) -> Value {
    let id = workspace.rsplit('/').next().expect("an id");
    json!({"language": "bash", "workspace_id": id, "entry": entry})
}

async fn write(person: &Person, file: &str, text: &str) -> Reply {
    let client = person.with_header("content-type", "text/plain; charset=utf-8");
    client.send(Method::PUT, &format!("{file}/content"), Some(text.to_owned())).await
}

/// The files that are kept of a job: paths and contents.
async fn kept(pool: &PgPool, job: &str) -> Vec<(String, String)> {
    let text: String =
        sqlx::query_scalar("SELECT convert_from(content, 'UTF8') FROM job_inputs WHERE job_id = $1::uuid")
            .bind(job)
            .fetch_one(pool)
            .await
            .expect("an input");
    let input: Value = serde_json::from_str(&text).expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let files = input["files"].as_array().expect("files").iter();
    files.map(|file| (text(&file["path"]), text(&file["content"]))).collect()
}

async fn inputs(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM job_inputs").fetch_one(pool).await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_run_as_they_were_when_the_job_was_submitted() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let main = file(&ada, &room, "src/main.sh", "echo \"$1: $(<src/data.txt)\"\n").await;
    let data = file(&ada, &room, "src/data.txt", "as it was").await;
    let reply = ada.post("/jobs", with(program(&room, "src/main.sh"), json!({"args": ["data"]}))).await.is(202);
    assert_eq!((&reply.json["project_id"], &reply.json["language"]), (&json!(project), &json!("bash")));
    let requested = history(&ada, &project, &reply.id()).await.remove(0);
    assert!(requested["data"]["source"]["input"]["sha256"].is_string(), "{requested}");
    assert!(!requested.to_string().contains("as it was"), "{requested}");

    write(&ada, &data, "as it is").await.is(200);
    let changed = ada.job(program(&room, "src/main.sh")).await;
    ada.patch(&data, json!({"path": "elsewhere"})).await.is(200);
    ada.delete(&main).await.is(204);
    ada.post("/jobs", program(&room, "src/main.sh")).await.refused_field("/entry", "invalid-value");
    ada.delete(&room).await.is(204);
    ada.post("/jobs", program(&room, "elsewhere")).await.refused("not-found");

    let _worker = world.worker().await;
    for (job, printed) in [(reply.id(), "data: as it was\n"), (changed, ": as it is\n")] {
        let done = ada.finished(&job).await;
        assert_eq!((&done["status"], &done["result"]["stdout"]), (&json!("completed"), &json!(printed)), "{done}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_files_that_are_there_and_all_that_is_in_them() {
    let world = World::new().await;
    let server = api_only(&world).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let odd = "no end of line, \"quotes\", \\, \t, \r\n, \u{1}, \u{7f}, \u{feff}, ü, 🚀";
    file(&ada, &room, "main.sh", "true").await;
    file(&ada, &room, "b/empty", "").await;
    let deleted = file(&ada, &room, "deleted", "gone").await;
    let moved = file(&ada, &room, "moved", odd).await;
    ada.delete(&deleted).await.is(204);
    ada.patch(&moved, json!({"path": "a/ü b"})).await.is(200);
    // What is no text, no workspace has.
    write(&ada, &moved, "a\0b").await.problem(422);
    let pool = world.pool().await;
    let job = ada.job(program(&room, "main.sh")).await;
    let expected = [("a/ü b", odd), ("b/empty", ""), ("main.sh", "true")];
    assert_eq!(kept(&pool, &job).await, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));

    // Just within the bounds, also when each byte is written as six.
    let full = "\u{1}".repeat(1024 * 1024 - odd.len() - "true".len());
    let big = file(&ada, &room, "big", &full).await;
    let job = ada.job(program(&room, "main.sh")).await;
    assert!(kept(&pool, &job).await.contains(&("big".to_owned(), full.clone())));
    write(&ada, &big, &format!("{full}x")).await.is(200);
    ada.post("/jobs", program(&room, "main.sh")).await.refused_field("/workspace_id", "out-of-range");
    assert_eq!(inputs(&pool).await, 2, "nothing is kept of what was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_sees_the_files_and_may_run_jobs_runs_them() {
    let world = World::new().await;
    let server = api_only(&world).await;
    let ada = server.person("ada").await;
    let (grace, vera, sam) = (server.person("grace").await, server.person("vera").await, server.person("sam").await);
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    ada.invite(&apollo, &grace, "collaborator").await;
    ada.invite(&apollo, &vera, "viewer").await;
    let room = workspace(&ada, &apollo, "Lab").await;
    file(&ada, &room, "main.sh", "true").await;
    let job = program(&room, "main.sh");
    let in_project = |project: &str| with(job.clone(), json!({"project_id": project}));

    vera.post("/jobs", job.clone()).await.refused("forbidden");
    vera.post("/jobs", in_project(&apollo)).await.refused("forbidden");
    let hidden = sam.post("/jobs", job.clone()).await.refused("not-found");
    let unknown = with(job.clone(), json!({"workspace_id": "01900000-0000-7000-8000-000000000000"}));
    let absent = sam.post("/jobs", unknown).await.refused("not-found");
    assert_eq!(hidden.json["detail"], absent.json["detail"], "what is hidden is not told from what is not there");
    let own = sam.project("Own").await;
    sam.post("/jobs", in_project(&own)).await.refused("not-found");
    // A workspace is found under its own project only.
    ada.post("/jobs", in_project(&gemini)).await.refused("not-found");
    server.client().post("/jobs", job.clone()).await.problem(401);
    assert_eq!(inputs(&world.pool().await).await, 0);

    for job in [job.clone(), in_project(&apollo), with(job.clone(), json!({"project_id": null}))] {
        assert_eq!(grace.post("/jobs", job).await.is(202).json["project_id"], apollo.as_str());
    }
    ada.delete(&format!("/projects/{apollo}")).await.is(204);
    grace.post("/jobs", job).await.refused("not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_program_is_refused_by_field() {
    let world = World::new().await;
    let server = api_only(&world).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let empty = workspace(&ada, &project, "Empty").await;
    file(&ada, &room, "src/main.sh", "true").await;
    let job = program(&room, "src/main.sh");
    let mut without_entry = job.clone();
    without_entry.as_object_mut().expect("fields").remove("entry");
    let noop = json!({"type": "noop", "workspace_id": job["workspace_id"]});
    let files = json!({"files": [{"path": "src/main.sh", "content": ""}]});
    for (job, pointer, code) in [
        (without_entry, "/entry", "missing-field"),
        (program(&room, "main.sh"), "/entry", "invalid-value"),
        (program(&room, "src"), "/entry", "invalid-value"),
        (program(&room, "./src/main.sh"), "/entry", "invalid-value"),
        (program(&empty, "src/main.sh"), "/workspace_id", "out-of-range"),
        (with(job.clone(), json!({"code": "true"})), "/workspace_id", "invalid-value"),
        (with(job.clone(), files), "/workspace_id", "invalid-value"),
        (with(job.clone(), json!({"language": "cobol"})), "/language", "unknown-language"),
        (noop, "/workspace_id", "invalid-value"),
    ] {
        ada.post("/jobs", job).await.refused_field(pointer, code);
    }

    let files = format!("{empty}/files");
    let create = |number: usize| ada.post(&files, json!({"path": number.to_string()}));
    let paths: Vec<_> = (0..1001).map(create).collect();
    let replies: Vec<_> = stream::iter(paths).buffer_unordered(16).collect().await;
    assert!(replies.iter().all(|reply| reply.status == 201));
    ada.post("/jobs", program(&empty, "0")).await.refused_field("/workspace_id", "out-of-range");
    let one = ada.get(&format!("{files}?limit=1")).await.is(200).items()[0]["id"].clone();
    ada.delete(&format!("{files}/{}", one.as_str().expect("an id"))).await.is(204);
    let job = ada.job(program(&empty, "1")).await;
    assert_eq!(kept(&world.pool().await, &job).await.len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_is_one_copy() {
    let world = World::new().await;
    let server = api_only(&world).await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let main = file(&ada, &room, "main.sh", "true").await;
    let keyed = ada.with_header("idempotency-key", "copy");
    let first = keyed.post("/jobs", program(&room, "main.sh")).await.is(202);
    write(&ada, &main, "false").await.is(200);
    ada.delete(&room).await.is(204);
    let again = keyed.post("/jobs", program(&room, "main.sh")).await.is(202);
    assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (first.text.as_str(), "true"));
    let pool = world.pool().await;
    assert_eq!(kept(&pool, &first.id()).await, [("main.sh".to_owned(), "true".to_owned())]);
    assert_eq!(inputs(&pool).await, 1);
}

/// In each round three changes follow each other: what is in `a`, what is in `b`, where the third file lies. A copy that
/// another instance takes meanwhile has no later one of them without those before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_the_workspace_at_one_moment() {
    let world = World::new().await;
    let (here, there) = tokio::join!(api_only(&world), api_only(&world));
    let ada = here.person("ada").await;
    let other = ada.at(&there.address);
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let (a, b) = (file(&ada, &room, "a", "0").await, file(&ada, &room, "b", "0").await);
    let c = file(&ada, &room, "c/0", "").await;
    let mut jobs = Vec::new();
    for round in 1..=rounds_of(200) {
        let changes = async {
            write(&ada, &a, &round.to_string()).await.is(200);
            write(&ada, &b, &round.to_string()).await.is(200);
            ada.patch(&c, json!({"path": format!("c/{round}")})).await.is(200);
        };
        let (reply, ()) = tokio::join!(other.post("/jobs", program(&room, "a")), changes);
        let reply = reply.is(202);
        jobs.push((round, reply.id()));
        other.cancel(&reply.id()).await.is(200);
    }
    let pool = world.pool().await;
    let mut meanwhile = 0;
    for (round, job) in jobs {
        let files = kept(&pool, &job).await;
        let number = |text: &str| text.parse::<usize>().expect("a number");
        let [(_, a), (_, b), (c, _)] = files.as_slice() else { panic!("three files: {files:?}") };
        let (a, b, c) = (number(a), number(b), number(c.trim_start_matches("c/")));
        assert!(c <= b && b <= a, "round {round}: {files:?}");
        assert!(round - 1 <= c && a <= round, "round {round}: {files:?}");
        meanwhile += usize::from(c < a);
    }
    eprintln!("{meanwhile} copies were taken between two changes");
}
