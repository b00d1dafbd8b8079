//! Schedules that run what lies in a workspace.

use reqwest::Method;
use serde_json::{Value, json};

use super::{created, events, in_project, ticks};
use crate::{
    jobs::lifecycle::with,
    support::{Person, Reply, World, eventually},
    workspaces::{file, workspace},
};

/// A program of the files of a workspace.
fn program(workspace: &str, entry: &str) -> Value {
    let id = workspace.rsplit('/').next().expect("an id");
    json!({"language": "bash", "workspace_id": id, "entry": entry})
}

async fn write(person: &Person, file: &str, text: &str) -> Reply {
    let client = person.with_header("content-type", "text/plain; charset=utf-8");
    client.send(Method::PUT, &format!("{file}/content"), Some(text.to_owned())).await
}

/// What a schedule shows in a field.
async fn shown(person: &Person, path: &str, field: &str) -> Value {
    person.get(path).await.is(200).json[field].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_run_takes_the_files_of_the_workspace_as_they_are_then() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let main = file(&ada, &room, "src/main.sh", "echo \"$1 $(<src/data.txt)\"; cat").await;
    let data = file(&ada, &room, "src/data.txt", "one").await;
    let job = with(program(&room, "src/main.sh"), json!({"args": ["data:"], "stdin": "end"}));
    let path = created(&ada, in_project(&project, json!({"job": job}))).await;
    assert_eq!(shown(&ada, &path, "job").await["workspace_id"], job["workspace_id"]);
    let runs = async |expected: &str| {
        eventually(expected, async || {
            let last = shown(&ada, &path, "last_job_id").await;
            let Some(last) = last.as_str() else { return false };
            let done = ada.finished(last).await;
            assert_eq!((&done["status"], &done["project_id"]), (&json!("completed"), &json!(project)), "{done}");
            done["result"]["stdout"] == expected
        })
        .await;
    };
    runs("data: one\nend").await;
    write(&ada, &data, "two").await.is(200);
    runs("data: two\nend").await;

    // What cannot be run now may be run next time.
    ada.patch(&main, json!({"path": "src/other.sh"})).await.is(200);
    eventually("a run is passed over", async || shown(&ada, &path, "passed_over").await == "workspace_unfit").await;
    let passed = ticks(&ada, &project, &path).await.into_iter().find(|tick| tick["passed_over"].is_string());
    assert_eq!(passed.expect("a tick")["job_id"], Value::Null);
    assert_eq!(shown(&ada, &path, "suspended").await, Value::Null);
    ada.patch(&main, json!({"path": "src/main.sh"})).await.is(200);
    eventually("it runs again", async || shown(&ada, &path, "passed_over").await == Value::Null).await;
    let mut history = ada.history(&project).await;
    history.retain(|event| event["event_type"] == "FileContentWritten");
    let redact = format!("/projects/{project}/events/{}/redact", history.last().expect("an event")["seq"]);
    ada.post(&redact, json!({"reason": "posted by mistake"})).await.is(201);
    eventually("a run is passed over", async || shown(&ada, &path, "passed_over").await == "workspace_unfit").await;
    write(&ada, &data, "three").await.is(200);
    runs("data: three\nend").await;

    // A workspace that is gone does not come back.
    ada.delete(&room).await.is(204);
    eventually("it rests", async || shown(&ada, &path, "suspended").await == "workspace_deleted").await;
    let history = events(&ada, &project, &path).await;
    let last = history.last().expect("an event");
    assert_eq!((&last["event_type"], &last["actor"]), (&json!("ScheduleSuspended"), &json!("system:reconciler")));
    let orphans = "SELECT count(*) FROM job_inputs i WHERE NOT EXISTS (
                       SELECT FROM events e WHERE e.aggregate_type = 'job' AND e.aggregate_id = i.job_id::text)";
    let orphans: i64 = sqlx::query_scalar(orphans).fetch_one(&world.pool().await).await.expect("a count");
    assert_eq!(orphans, 0, "something is kept of jobs that were not submitted");
    let resumed = ada.patch(&path, json!({"paused": false, "job": {"type": "noop"}})).await.is(200);
    assert_eq!((&resumed.json["suspended"], &resumed.json["job"]["workspace_id"]), (&Value::Null, &Value::Null));
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_runs_the_files_only_of_who_sees_them_and_may_run_jobs() {
    let world = World::new().await;
    let server = world.server_without_worker().await;
    let ada = server.person("ada").await;
    let (grace, vera, sam) = (server.person("grace").await, server.person("vera").await, server.person("sam").await);
    let (apollo, gemini) = (ada.project("Apollo").await, ada.project("Gemini").await);
    ada.invite(&apollo, &grace, "collaborator").await;
    ada.invite(&apollo, &vera, "viewer").await;
    let room = workspace(&ada, &apollo, "Lab").await;
    file(&ada, &room, "main.sh", "true").await;
    let job = program(&room, "main.sh");
    let of = |project: &str, job: &Value| in_project(project, json!({"job": job}));

    vera.post("/schedules", of(&apollo, &job)).await.refused("forbidden");
    let own = sam.project("Own").await;
    let hidden = sam.post("/schedules", of(&own, &job)).await.refused("not-found");
    let unknown = with(job.clone(), json!({"workspace_id": "01900000-0000-7000-8000-000000000000"}));
    let absent = sam.post("/schedules", of(&own, &unknown)).await.refused("not-found");
    assert_eq!(hidden.json["detail"], absent.json["detail"], "what is hidden is not told from what is not there");
    // A workspace is found under its own project only.
    ada.post("/schedules", of(&gemini, &job)).await.refused("not-found");
    let no_file = program(&room, "other.sh");
    ada.post("/schedules", of(&apollo, &no_file)).await.refused_field("/job/entry", "invalid-value");
    let rests = created(&ada, in_project(&gemini, json!({"paused": true}))).await;
    ada.patch(&rests, json!({"job": job})).await.refused("not-found");

    // It is the author's right at each run.
    let path = created(&grace, of(&apollo, &job)).await;
    eventually("a run", async || shown(&ada, &path, "last_job_id").await.is_string()).await;
    ada.patch(&path, json!({"job": no_file})).await.refused_field("/job/entry", "invalid-value");
    ada.delete(&format!("/projects/{apollo}/members/{}", grace.id)).await.is(204);
    eventually("it rests", async || shown(&ada, &path, "suspended").await == "right_lost").await;
    let resumed = ada.patch(&path, json!({"paused": false})).await.is(200);
    assert_eq!(resumed.json["acts_for"], ada.id.as_str());
    let before = resumed.json["last_job_id"].clone();
    eventually("it goes on", async || shown(&ada, &path, "last_job_id").await != before).await;
    let (proven, printed) = world.command(&["audit", "access"]).await;
    assert!(proven, "{printed}");
}
