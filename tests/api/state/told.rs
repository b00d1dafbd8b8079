//! What the lists tell of a project, against a state.

use std::collections::BTreeMap;

use serde_json::Value;

use super::views::id;
use crate::support::Person;

/// What the lists tell, by kind and id.
type Told = BTreeMap<(&'static str, String), Value>;

async fn told(ada: &Person, project: &str) -> Told {
    let path = format!("/projects/{project}");
    let mut told = Told::new();
    let mut add = |kind, items: &[Value]| {
        told.extend(items.iter().map(|item| ((kind, id(item)), item.clone())));
    };
    add("project", &[ada.get(&path).await.is(200).json]);
    let tasks = ada.get(&format!("{path}/tasks?limit=100")).await.is(200);
    for task in tasks.items() {
        let comments = format!("{path}/tasks/{}/comments?limit=100", id(task));
        add("comments", ada.get(&comments).await.is(200).items());
    }
    add("tasks", tasks.items());
    let workspaces = ada.get(&format!("{path}/workspaces?limit=100")).await.is(200);
    for workspace in workspaces.items() {
        let files = format!("{path}/workspaces/{}/files?limit=100", id(workspace));
        add("files", ada.get(&files).await.is(200).items());
    }
    add("workspaces", workspaces.items());
    for (kind, list) in [
        ("members", format!("{path}/members?limit=100")),
        ("jobs", format!("/jobs?project_id={project}&limit=100")),
        ("schedules", format!("/schedules?project_id={project}&limit=100")),
        ("webhooks", format!("{path}/webhooks?limit=100")),
        ("job_rules", format!("/jobs/rules?project_id={project}&limit=100")),
    ] {
        add(kind, ada.get(&list).await.is(200).items());
    }
    told
}

/// Insists that a state is what the lists tell now: of each field that both have, the same.
pub(super) async fn assert_told(ada: &Person, project: &str, state: &Value, at: &str) {
    let told = told(ada, project).await;
    let mut found = 0;
    for (list, items) in state.as_object().expect("fields") {
        let items = match items {
            Value::Array(items) => items.as_slice(),
            one if list == "project" => std::slice::from_ref(one),
            _ => continue,
        };
        for item in items {
            let live = told.iter().find(|((kind, of), _)| kind == list && *of == id(item));
            let (_, live) = live.unwrap_or_else(|| panic!("{at}: {list} has {item}"));
            for (name, value) in item.as_object().expect("an object") {
                // The role in a project is that of who asks.
                if let Some(now) = live.get(name).filter(|_| name != "role" || list == "members") {
                    assert_eq!(value, now, "{at}: {list}, {name} of {item}");
                }
            }
            found += 1;
        }
    }
    assert_eq!(found, told.len(), "{at}: {state}");
}
