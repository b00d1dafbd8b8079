//! `/projects/{project_id}/tasks`

mod create;
mod delete;
mod departures;
mod list;
mod update;

use serde_json::{Value, json};

use crate::support::Person;

/// Writes a task down; returns it.
pub async fn task(person: &Person, project: &str, body: Value) -> Value {
    person.post(&format!("/projects/{project}/tasks"), body).await.is(201).json
}

/// Writes a task of this title down; returns its address.
pub async fn titled(person: &Person, project: &str, title: &str) -> String {
    let task = task(person, project, json!({"title": title})).await;
    format!("/projects/{project}/tasks/{}", task["id"].as_str().expect("an id"))
}
