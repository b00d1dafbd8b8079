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
    /// Name of the event, such as `FileContentWritten`.
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
        let said = |name: &str| value(&data[name], names);
        let from_to = |change: &Value| format!("{} → {}", value(&change["from"], names), value(&change["to"], names));
        match self.kind.as_str() {
            "ProjectCreated" => format!("“{}” is created", said("name")),
            "ProjectUpdated" | "TaskUpdated" | "WorkspaceUpdated" => {
                let changes = data["changes"].as_object().into_iter().flatten();
                let words = changes.map(|(field, change)| format!("{field}: {}", from_to(change)));
                words.collect::<Vec<_>>().join(", ")
            }
            "ProjectDeleted" => "the project is deleted".to_owned(),
            "MemberAdded" => format!("{} joins as {}", said("account_id"), said("role")),
            "MemberRoleChanged" => format!("{}: {}", said("account_id"), from_to(data)),
            "MemberRemoved" => format!("{} is removed, was {}", said("account_id"), said("role")),
            "MembershipClosed" => "nobody holds a right here any more".to_owned(),
            "TaskCreated" if data["assignee_id"].is_null() => format!("“{}”", said("title")),
            "TaskCreated" => format!("“{}”, for {}", said("title"), said("assignee_id")),
            "TaskUnassigned" => format!("{} had it, nobody has it now", said("assignee_id")),
            "TaskDeleted" => "the task is removed".to_owned(),
            "CommentPosted" => format!("“{}”", said("body")),
            "CommentEdited" => format!("“{}”", value(&data["body"]["to"], names)),
            "CommentDeleted" => "the comment is taken back".to_owned(),
            "WorkspaceCreated" => format!("“{}” is opened", said("name")),
            "WorkspaceDeleted" => "the workspace is closed".to_owned(),
            "FileCreated" => format!("{} is created", said("path")),
            "FileMoved" => from_to(&data["path"]),
            "FileDeleted" => format!("{} is removed", said("path")),
            "FileContentWritten" => format!("{} bytes are written", said("size")),
            "InvitationSent" => format!("somebody is invited as {}", said("role")),
            "InvitationRevoked" => format!("not invited any more as {}", said("role")),
            "InvitationAccepted" => format!("{} comes as {}", said("account_id"), said("role")),
            "JobRequested" => format!("{} code is to be run", said("language")),
            "JobStarted" => format!("attempt {} begins", said("attempt")),
            "JobSucceeded" => {
                let outcome = |name: &str| value(&data["outcome"][name], names);
                format!("exit code {} after {} ms", outcome("exit_code"), outcome("execution_time_ms"))
            }
            "JobAttemptFailed" => format!("attempt {} fails", said("attempt")),
            "JobDeadLettered" => format!("given up after attempt {}", said("attempt")),
            "JobCancelled" => format!("ended before it was done: {}", said("reason")),
            "JobDeleted" => "the job is deleted".to_owned(),
            "JobRuleChanged" => "a rule for jobs is set".to_owned(),
            _ => data.to_string(),
        }
    }
}

/// A value in words; ids of people as their names.
fn value(value: &Value, names: &Names) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) if uuid::Uuid::try_parse(text).is_ok() => names.of(text),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Who is who: events carry ids only.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, &'static str>);

impl Names {
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
