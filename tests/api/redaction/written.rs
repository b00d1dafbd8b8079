//! One of everything that people write in a project, each text with the same word at its beginning.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{jobs::lifecycle::with, support::Person};

/// A time that no test sees.
const LATER: &str = "2100-01-01T00:00:00Z";

/// What was written in a project.
pub(super) struct Written {
    /// Where each of it is read.
    pub(super) paths: Vec<String>,
    /// The job that waits.
    pub(super) waiting: String,
}

/// The id at the end of a path.
pub(super) fn id(path: &str) -> &str {
    path.rsplit('/').next().expect("an id")
}

/// Creates something under a key, so that the reply is kept; returns its path.
pub(super) async fn create(person: &Person, path: &str, body: Value) -> String {
    let key = Uuid::now_v7().to_string();
    let created = person.with_header("idempotency-key", &key).post(path, body).await;
    assert!(matches!(created.status, 201 | 202), "{}", created.text);
    format!("{path}/{}", created.id())
}

/// Writes one of everything that collaborators may write in the project at this path, and changes all that can be changed. One job waits,
/// another one is done.
pub(super) async fn in_project(person: &Person, project: &str, word: &str) -> Written {
    let text = |what: &str| format!("{word}-{what}");
    let change = json!({"name": text("name"), "description": text("description")});
    person.patch(project, change).await.is(200);

    let fields = json!({"title": text("title"), "description": text("task")});
    let task = create(person, &format!("{project}/tasks"), fields).await;
    let change = json!({"title": text("title-anew"), "description": text("task-anew")});
    person.patch(&task, change).await.is(200);
    let comment = create(person, &format!("{task}/comments"), json!({"body": text("comment")})).await;
    person.patch(&comment, json!({"body": text("comment-anew")})).await.is(200);

    let fields = json!({"name": text("workspace"), "description": text("room")});
    let workspace = create(person, &format!("{project}/workspaces"), fields).await;
    let change = json!({"name": text("workspace-anew"), "description": text("room-anew")});
    person.patch(&workspace, change).await.is(200);
    let files = format!("{workspace}/files");
    let file = create(person, &files, json!({"path": text("path.txt"), "content": text("content")})).await;
    person.patch(&file, json!({"path": text("moved.txt")})).await.is(200);
    let gone = create(person, &files, json!({"path": text("gone.txt"), "content": text("gone")})).await;
    person.delete(&gone).await.is(204);

    let program = |what: &str| {
        json!({
            "language": "bash", "code": format!("# {}", text(what)), "stdin": text(&format!("{what}-stdin")),
            "key": text(&format!("{what}-key")), "fairness_key": text(&format!("{what}-fairness")),
        })
    };
    let waiting = with(program("program"), json!({"project_id": id(project), "run_at": LATER}));
    let waiting = create(person, "/jobs", waiting).await;
    let done = json!({"type": "noop", "project_id": id(project), "key": text("done-key")});
    let done = create(person, "/jobs", done).await;
    assert_eq!(person.finished(id(&done)).await["status"], "completed");

    let schedule = json!({
        "project_id": id(project), "name": text("schedule"), "every_seconds": 3600, "paused": true,
        "job": program("scheduled"),
    });
    let schedule = create(person, "/schedules", schedule).await;
    let change = json!({"name": text("schedule-anew"), "job": program("scheduled-anew")});
    person.patch(&schedule, change).await.is(200);

    let paths = vec![project.to_owned(), task, comment, workspace, file, waiting.clone(), done, schedule];
    Written { paths, waiting: id(&waiting).to_owned() }
}

/// Sets a rule for jobs with a key, as owners of a project may.
pub(super) async fn rule(person: &Person, project: &str, word: &str) {
    let rule = json!({
        "project_id": id(project), "key": format!("{word}-rule"), "fairness_key": format!("{word}-rule-fairness"),
        "running": 2,
    });
    person.put("/jobs/rules", rule).await.is(200);
}

/// Creates a webhook, as owners of a project may. Its address, and what is said about it, are in no event; it sends nothing.
pub(super) async fn webhook(person: &Person, project: &str, word: &str) {
    let url = format!("https://example.com/{word}-address");
    let webhook = json!({"url": url, "description": format!("{word}-webhook"), "event_types": ["TaskDeleted"]});
    person.post(&format!("{project}/webhooks"), webhook).await.is(201);
}
