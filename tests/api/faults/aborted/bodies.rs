//! Bodies that operations take. Each says something new, so that there is something to write.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    asked::Ids,
    operations::{
        COMMENT, CONTENT, DELETE_TASKS, FILE, FILES, MEMBER, ORGANIZATION, ORGANIZATION_MEMBER, PROJECT, ROOM,
        SCHEDULE, TASK, WEBHOOK, WEBHOOKS,
    },
};

/// When jobs are due that are not to run.
pub const NEVER: &str = "2100-01-01T00:00:00Z";
/// Where webhooks send to: nobody is there.
pub const NOWHERE: &str = "https://hooks.invalid/";
/// The key of the jobs that rules are about.
const RULED: &str = "ruled";

/// A text that was never there before.
pub fn unique() -> String {
    Uuid::now_v7().simple().to_string()
}

/// An address that is nobody's.
pub fn unknown() -> String {
    format!("{}@example.com", unique())
}

/// A number below this one, by chance.
pub fn number(below: u64) -> u64 {
    Uuid::now_v7().as_u128() as u64 % below
}

fn one_of(names: [&'static str; 2]) -> &'static str {
    if number(2) == 0 { names[0] } else { names[1] }
}

/// The body of a request.
pub fn body(method: &str, path: &str, ids: &Ids) -> String {
    match (method, path) {
        ("GET" | "DELETE", _) => String::new(),
        ("PUT", CONTENT) => format!("{}\n", unique()).repeat(400),
        _ => fields(method, path, ids).to_string(),
    }
}

fn fields(method: &str, path: &str, ids: &Ids) -> Value {
    let text = unique();
    match (method, path) {
        ("POST", "/organizations" | "/projects" | "/projects/{project_id}/workspaces" | "/auth/tokens")
        | ("PATCH" | "PUT", ORGANIZATION | SCHEDULE) => json!({"name": text}),
        ("PATCH" | "PUT", PROJECT | ROOM | TASK | WEBHOOK) => json!({"description": text}),
        ("PATCH" | "PUT", "/auth/me") => json!({"full_name": text}),
        ("POST", "/organizations/{organization_id}/members" | "/projects/{project_id}/members") => {
            json!({"email": unknown()})
        }
        ("PATCH" | "PUT", ORGANIZATION_MEMBER) => json!({"role": one_of(["admin", "member"])}),
        ("PATCH" | "PUT", MEMBER) => json!({"role": one_of(["collaborator", "viewer"])}),
        ("PUT", "/organizations/{organization_id}/retention") => json!({"job_output_days": 1 + number(3_650)}),
        ("POST", path) if path.ends_with("/redact") || path.ends_with("/purge") => json!({"reason": text}),
        ("POST", "/projects/{project_id}/tasks") => json!({"title": text}),
        ("POST", DELETE_TASKS) => json!({"ids": [ids["task_id"]]}),
        ("POST", "/projects/{project_id}/tasks/{task_id}/comments") | ("PATCH" | "PUT", COMMENT) => {
            json!({"body": text})
        }
        ("POST", FILES) => json!({"path": format!("{text}.txt"), "content": text}),
        ("PATCH" | "PUT", FILE) => json!({"path": format!("{text}.txt")}),
        ("POST", WEBHOOKS) => json!({"url": NOWHERE}),
        ("POST", "/projects/{project_id}/realtime") => json!({"name": "said", "data": {"text": text}}),
        ("POST", "/jobs") => {
            let project = &ids["project_id"];
            json!({"project_id": project, "language": "bash", "code": format!("echo {text}"), "run_at": NEVER})
        }
        ("POST", "/jobs/cancel" | "/jobs/retry" | "/jobs/delete") => {
            json!({"project_id": ids["project_id"], "key": ids["key"]})
        }
        ("POST", "/jobs/pause" | "/jobs/resume") => json!({"project_id": ids["project_id"], "key": RULED}),
        ("PUT", "/jobs/rules") => json!({"project_id": ids["project_id"], "key": RULED, "running": 1 + number(99)}),
        ("POST", "/schedules") => {
            json!({"project_id": ids["project_id"], "name": text, "cron": "@yearly", "job": {"type": "noop"}})
        }
        _ => json!({}),
    }
}
