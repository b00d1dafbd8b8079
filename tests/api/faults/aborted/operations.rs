//! The operations of the OpenAPI document, and how often each is asked for.

use crate::support::Server;

pub const ORGANIZATION: &str = "/organizations/{organization_id}";
pub const ORGANIZATION_MEMBER: &str = "/organizations/{organization_id}/members/{user_id}";
pub const PROJECT: &str = "/projects/{project_id}";
pub const MEMBER: &str = "/projects/{project_id}/members/{user_id}";
pub const TASK: &str = "/projects/{project_id}/tasks/{task_id}";
pub const DELETE_TASKS: &str = "/projects/{project_id}/tasks/delete";
pub const COMMENT: &str = "/projects/{project_id}/tasks/{task_id}/comments/{comment_id}";
pub const ROOM: &str = "/projects/{project_id}/workspaces/{workspace_id}";
pub const FILES: &str = "/projects/{project_id}/workspaces/{workspace_id}/files";
pub const FILE: &str = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}";
pub const CONTENT: &str = "/projects/{project_id}/workspaces/{workspace_id}/files/{file_id}/content";
pub const WEBHOOKS: &str = "/projects/{project_id}/webhooks";
pub const WEBHOOK: &str = "/projects/{project_id}/webhooks/{webhook_id}";
pub const SCHEDULE: &str = "/schedules/{schedule_id}";
pub const SESSION: &str = "/auth/sessions/{session_id}";
pub const ACCEPT: &str = "/invitations/{token}/accept";
pub const BLOCK: &str = "/invitations/{token}/block";

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What is never asked for, and why.
const LEFT_OUT: [(&str, &str, &str); 1] = [("GET", "/realtime", "it opens a socket: those are cut off in `live`")];

/// What takes a password, a mail, or an account of its own: that is slow.
const SLOW: [(&str, &str); 11] = [
    ("POST", "/auth/register"),
    ("POST", "/auth/login"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/password"),
    ("POST", "/auth/password/reset"),
    ("POST", "/auth/email/verify"),
    ("DELETE", "/auth/me"),
    ("DELETE", SESSION),
    ("POST", ACCEPT),
    ("POST", BLOCK),
];
/// The passes from one in which slow operations are asked for to the next.
const SLOW_EVERY: usize = 4;

/// An operation, as the document names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub method: String,
    pub path: String,
}

impl Operation {
    fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned() }
    }

    fn is_slow(&self) -> bool {
        SLOW.contains(&(self.method.as_str(), self.path.as_str()))
    }
}

/// The operations of the API, but for those that are left out.
pub async fn operations(server: &Server) -> Vec<Operation> {
    let document = server.client().get("/openapi.json").await.is(200).json;
    let paths = document["paths"].as_object().expect("paths").iter();
    let mut found = Vec::new();
    // What lies beside the API is read only.
    for (path, item) in paths.filter(|(_, item)| item.get("servers").is_none()) {
        let methods = item.as_object().expect("operations").keys().map(|method| method.to_uppercase());
        let methods = methods.filter(|method| METHODS.contains(&method.as_str()));
        found.extend(methods.map(|method| Operation::new(&method, path)));
    }
    for (method, path) in SLOW {
        assert!(found.contains(&Operation::new(method, path)), "{method} {path}: no such operation");
    }
    for (method, path, why) in LEFT_OUT {
        let left_out = Operation::new(method, path);
        assert!(found.contains(&left_out), "{method} {path} is left out ({why}): no such operation");
        found.retain(|operation| *operation != left_out);
    }
    assert!(found.len() > 120, "{}", found.len());
    found
}

/// What is asked for in so many passes over all operations. Every fourth request is one of two that change tables and the log together,
/// with much to send.
pub fn in_passes(operations: &[Operation], passes: usize) -> Vec<Operation> {
    let large = [Operation::new("PUT", CONTENT), Operation::new("POST", FILES)];
    let mut asked = Vec::new();
    for pass in 0..passes {
        for operation in operations.iter().filter(|operation| pass % SLOW_EVERY == 0 || !operation.is_slow()) {
            if asked.len() % 4 == 0 {
                asked.push(large[asked.len() / 4 % large.len()].clone());
            }
            asked.push(operation.clone());
        }
    }
    asked
}
