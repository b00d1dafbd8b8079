//! An event, as the subscriber and the auditor both get it, and its words.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

use super::narrator::shorten;

/// An event of a project's feed. Two are equal when they say the same about the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// Its place in the feed.
    pub(super) seq: i64,
    /// Its place in the log.
    pub(super) position: i64,
    /// What happened.
    pub(super) kind: String,
    /// Who caused it: an account's id, or `system:<part>`.
    pub(super) actor: String,
    /// When it was decided.
    pub(super) occurred_at: String,
    id: String,
    /// What it happened to.
    pub(super) aggregate_id: String,
    /// What it says.
    pub(super) data: Value,
}

impl Event {
    /// From an event frame, or from an item of the history.
    pub(super) fn read(json: &Value) -> anyhow::Result<Self> {
        let text = |name: &str| {
            json[name].as_str().map(str::to_owned).with_context(|| format!("an event without {name}: {json}"))
        };
        let number = |name: &str| json[name].as_i64().with_context(|| format!("an event without {name}: {json}"));
        Ok(Self {
            seq: number("seq")?,
            position: number("position")?,
            kind: text("event_type")?,
            actor: text("actor")?,
            occurred_at: text("occurred_at")?,
            id: text("event_id")?,
            aggregate_id: text("aggregate_id")?,
            data: json["data"].clone(),
        })
    }

    /// The time of the day.
    pub(super) fn time(&self) -> String {
        let time = self.occurred_at.split_once('T').map_or(self.occurred_at.as_str(), |(_, time)| time);
        time.trim_end_matches('Z').chars().take(12).collect()
    }

    /// What it says, in a few words.
    pub(super) fn words(&self, names: &Names) -> String {
        let data = &self.data;
        let said = |name: &str| value(&data[name]);
        let subject = || names.of(data["account_id"].as_str().unwrap_or_default());
        match self.kind.as_str() {
            "ProjectCreated" => format!("“{}” is founded", said("name")),
            "ProjectUpdated" => changes(&data["changes"]),
            "MemberAdded" => format!("{} joins as {}", subject(), said("role")),
            "MemberRemoved" => format!("{} is removed, was {}", subject(), said("role")),
            "JobRequested" => format!("{} code is to be run", said("language")),
            "JobStarted" => format!("attempt {} begins", said("attempt")),
            "JobSucceeded" => {
                let outcome = &data["outcome"];
                format!("exit code {} after {} ms", value(&outcome["exit_code"]), value(&outcome["execution_time_ms"]))
            }
            _ => data.to_string(),
        }
    }
}

fn changes(changes: &Value) -> String {
    let changes = changes.as_object().into_iter().flatten();
    let words =
        changes.map(|(field, change)| format!("{field}: {} → {}", value(&change["from"]), value(&change["to"])));
    words.collect::<Vec<_>>().join(", ")
}

fn value(value: &Value) -> String {
    match value.as_str() {
        Some("") => "(empty)".to_owned(),
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

/// Who is who: events carry ids only.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, &'static str>);

impl Names {
    /// Remembers somebody.
    pub(super) fn add(&mut self, id: &str, name: &'static str) {
        self.0.insert(id.to_owned(), name);
    }

    /// The name behind an id, or the id, shortened.
    pub(super) fn of(&self, id: &str) -> String {
        match (self.0.get(id), id.strip_prefix("system:")) {
            (Some(name), _) => (*name).to_owned(),
            (None, Some(part)) => part.to_owned(),
            (None, None) => shorten(id),
        }
    }
}
