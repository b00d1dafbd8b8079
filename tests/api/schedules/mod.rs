//! `/schedules`

mod acting;
mod clocks;
mod deactivation;
mod limits;
mod lost_rights;
mod managing;
mod missed;
mod of_jobs;
mod refusals;
mod runs;
mod turns;
mod unique;
pub mod whole;
mod workspace;

pub use refusals::MET;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    jobs::lifecycle::{moment, with},
    support::Person,
};

/// A schedule that does nothing, each second.
fn each_second() -> Value {
    json!({"every_seconds": 1, "job": {"type": "noop"}})
}

/// The same, of a project.
fn in_project(project: &str, more: Value) -> Value {
    with(with(each_second(), json!({"project_id": project})), more)
}

/// Creates a schedule; returns its path.
async fn created(person: &Person, schedule: Value) -> String {
    format!("/schedules/{}", person.post("/schedules", schedule).await.is(201).id())
}

/// The events of a schedule, as the feed of its project tells them.
async fn events(person: &Person, project: &str, path: &str) -> Vec<Value> {
    let id = path.trim_start_matches("/schedules/");
    person.history(project).await.into_iter().filter(|event| event["aggregate_id"] == id).collect()
}

/// What the ticks of a schedule tell.
async fn ticks(person: &Person, project: &str, path: &str) -> Vec<Value> {
    let mut events = events(person, project, path).await;
    events.retain(|event| event["event_type"] == "ScheduleTicked");
    events.into_iter().map(|event| event["data"].clone()).collect()
}

/// When these ticks were due.
fn due(ticks: &[Value]) -> Vec<OffsetDateTime> {
    ticks.iter().map(|tick| moment(&tick["tick_at"])).collect()
}
