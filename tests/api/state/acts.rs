//! What happens in a project, by chance.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::redaction::TEXTS;

use super::views::at_rest;
use crate::support::Person;

/// Numbers that look like chance, the same in each run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    /// All of these, in any order.
    pub(super) fn shuffled<T: Copy>(&mut self, items: &[T]) -> Vec<T> {
        let mut items = items.to_vec();
        for place in (1..items.len()).rev() {
            items.swap(place, self.roll(place + 1));
        }
        items
    }
}

/// Something that somebody does. What it takes is made first, where it is not there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    EditProject,
    ClearProject,
    DeleteProject,
    Join,
    ChangeRole,
    Leave,
    CreateTask,
    EditTask,
    ClearTask,
    DeleteTask,
    PostComment,
    EditComment,
    DeleteComment,
    CreateWorkspace,
    EditWorkspace,
    DeleteWorkspace,
    CreateFile,
    WriteFile,
    MoveFile,
    DeleteFile,
    SubmitJob,
    DelayJob,
    CancelJob,
    RetryJob,
    DeleteJob,
    CreateSchedule,
    EditSchedule,
    DeleteSchedule,
    CreateWebhook,
    FilterWebhook,
    MoveWebhook,
    SwitchWebhook,
    RotateSecret,
    DeleteWebhook,
    SetRule,
    PauseJobs,
    ClearRule,
    ReadState,
    Export,
    Redact,
}

/// All but those that end something for good.
pub(super) const ACTS: &[Act] = &[
    Act::EditProject,
    Act::ClearProject,
    Act::Join,
    Act::ChangeRole,
    Act::Leave,
    Act::CreateTask,
    Act::EditTask,
    Act::ClearTask,
    Act::DeleteTask,
    Act::PostComment,
    Act::EditComment,
    Act::DeleteComment,
    Act::CreateWorkspace,
    Act::EditWorkspace,
    Act::DeleteWorkspace,
    Act::CreateFile,
    Act::WriteFile,
    Act::MoveFile,
    Act::DeleteFile,
    Act::SubmitJob,
    Act::DelayJob,
    Act::CancelJob,
    Act::RetryJob,
    Act::DeleteJob,
    Act::CreateSchedule,
    Act::EditSchedule,
    Act::DeleteSchedule,
    Act::CreateWebhook,
    Act::FilterWebhook,
    Act::MoveWebhook,
    Act::SwitchWebhook,
    Act::RotateSecret,
    Act::DeleteWebhook,
    Act::SetRule,
    Act::PauseJobs,
    Act::ClearRule,
    Act::ReadState,
    Act::Export,
];

/// After these, there is one of everything.
pub(super) const ONE_OF_EACH: &[Act] = &[
    Act::EditProject,
    Act::PostComment,
    Act::CreateFile,
    Act::SubmitJob,
    Act::DelayJob,
    Act::CreateSchedule,
    Act::CreateWebhook,
    Act::SetRule,
];

/// What is told of when everything was done once, a redaction and the end included.
pub(super) const TOLD: &[&str] = &[
    "ProjectCreated",
    "ProjectUpdated",
    "ProjectDeleted",
    "MemberAdded",
    "MemberRoleChanged",
    "MemberRemoved",
    "MembershipClosed",
    "TaskCreated",
    "TaskUpdated",
    "TaskDeleted",
    "CommentPosted",
    "CommentEdited",
    "CommentDeleted",
    "WorkspaceCreated",
    "WorkspaceUpdated",
    "WorkspaceDeleted",
    "FileCreated",
    "FileContentWritten",
    "FileMoved",
    "FileDeleted",
    "JobRequested",
    "JobCancelled",
    "JobRedriven",
    "JobDeleted",
    "ScheduleCreated",
    "ScheduleUpdated",
    "ScheduleDeleted",
    "WebhookCreated",
    "WebhookFilterChanged",
    "WebhookEndpointChanged",
    "WebhookDisabled",
    "WebhookEnabled",
    "WebhookSecretRotated",
    "WebhookDeleted",
    "JobRuleChanged",
    "StateRead",
    "HistoryExported",
    "PayloadRedacted",
];

// What there is in a project: an id each, or what addresses have behind that of all.
const TASKS: &str = "SELECT id::text FROM views.tasks WHERE project_id = $1 ORDER BY id";
const COMMENTS: &str =
    "SELECT format('%s/comments/%s', task_id, id) FROM views.comments WHERE project_id = $1 ORDER BY id";
const WORKSPACES: &str = "SELECT id::text FROM views.workspaces WHERE project_id = $1 ORDER BY id";
const FILES: &str = "SELECT format('%s/files/%s', w.id, f.id) FROM views.workspaces w
    JOIN views.files f ON f.workspace_id = w.id WHERE w.project_id = $1 ORDER BY f.id";
const WAITING: &str = "SELECT id::text FROM views.jobs
    WHERE project_id = $1 AND status = 'pending' AND job_type <> 'webhook_delivery' ORDER BY id";
const CANCELLED: &str = "SELECT id::text FROM views.jobs
    WHERE project_id = $1 AND status = 'cancelled' AND job_type <> 'webhook_delivery' ORDER BY id";
/// Of those, what they work on is there still: of a redacted one it is not.
const RETRIABLE: &str = "SELECT j.id::text FROM views.jobs j LEFT JOIN job_inputs i ON i.job_id = j.id
    WHERE j.project_id = $1 AND j.status = 'cancelled'
      AND (j.job_type = 'noop' OR j.job_type = 'code_execution' AND i.job_id IS NOT NULL) ORDER BY j.id";
const SCHEDULES: &str = "SELECT id::text FROM views.schedules WHERE project_id = $1 ORDER BY id";
const WEBHOOKS: &str = "SELECT id::text FROM views.webhooks WHERE project_id = $1 ORDER BY id";
const LIMITED: &str = "SELECT id::text FROM views.job_rules WHERE project_id = $1 AND running IS NOT NULL";
/// The role of who did not create it.
const ROLE: &str = "SELECT m.role::text FROM views.members m JOIN views.projects p ON p.id = m.project_id
    WHERE p.id = $1 AND m.account_id <> p.created_by";

/// A project in which much happens.
pub(super) struct Story<'a> {
    /// Who owns it.
    pub(super) ada: &'a Person,
    /// Who comes and goes.
    pub(super) grace: &'a Person,
    pub(super) pool: &'a PgPool,
    pub(super) project: Uuid,
    pub(super) dice: Dice,
    /// How much has happened: so that no text is there twice.
    pub(super) count: usize,
}

impl Story<'_> {
    async fn found(&self, find: &str) -> Vec<String> {
        sqlx::query_scalar(find).bind(self.project).fetch_all(self.pool).await.expect("what there is")
    }

    /// One of those that are there; where there is none, something is done first.
    async fn one(&mut self, find: &str, first: Act) -> String {
        let mut found = self.found(find).await;
        if found.is_empty() {
            Box::pin(self.perform(first)).await;
            at_rest(self.pool, self.project).await;
            found = self.found(find).await;
        }
        assert!(!found.is_empty(), "{first:?} leaves nothing behind");
        found.swap_remove(self.dice.roll(found.len()))
    }

    pub(super) async fn perform(&mut self, act: Act) {
        self.count += 1;
        let (ada, path) = (self.ada, format!("/projects/{}", self.project));
        match act {
            Act::EditProject => {
                let text = self.text();
                let change = json!({
                    "name": text, "description": text, "start_date": "2026-01-31", "end_date": "2026-12-24",
                    "team_lead": ada.id, "is_public": self.count.is_multiple_of(2),
                });
                ada.patch(&path, change).await.is(200);
            }
            Act::ClearProject => {
                let change = json!({
                    "description": self.text(), "start_date": null, "end_date": null, "team_lead": null,
                    "priority": "high",
                });
                ada.patch(&path, change).await.is(200);
            }
            Act::DeleteProject => drop(ada.delete(&path).await.is(204)),
            Act::Join | Act::ChangeRole | Act::Leave => self.with_members(act, &path).await,
            Act::CreateTask | Act::EditTask | Act::ClearTask | Act::DeleteTask => {
                self.with_tasks(act, &format!("{path}/tasks")).await;
            }
            Act::PostComment | Act::EditComment | Act::DeleteComment => {
                self.with_comments(act, &format!("{path}/tasks")).await;
            }
            Act::CreateWorkspace | Act::EditWorkspace | Act::DeleteWorkspace => {
                self.with_workspaces(act, &format!("{path}/workspaces")).await;
            }
            Act::CreateFile | Act::WriteFile | Act::MoveFile | Act::DeleteFile => {
                self.with_files(act, &format!("{path}/workspaces")).await;
            }
            Act::SubmitJob | Act::DelayJob | Act::CancelJob | Act::RetryJob | Act::DeleteJob => {
                self.with_jobs(act).await
            }
            Act::CreateSchedule | Act::EditSchedule | Act::DeleteSchedule => self.with_schedules(act).await,
            Act::CreateWebhook
            | Act::FilterWebhook
            | Act::MoveWebhook
            | Act::SwitchWebhook
            | Act::RotateSecret
            | Act::DeleteWebhook => self.with_webhooks(act, &format!("{path}/webhooks")).await,
            Act::SetRule | Act::PauseJobs | Act::ClearRule => self.with_rules(act).await,
            Act::ReadState => drop(ada.get(&format!("{path}/state")).await.is(200)),
            Act::Export => drop(ada.get(&format!("{path}/events/export")).await.is(200)),
            Act::Redact => self.redact(&path).await,
        }
    }

    fn text(&self) -> String {
        format!("Text {}", self.count)
    }

    async fn with_members(&mut self, act: Act, path: &str) {
        let (ada, grace) = (self.ada, self.grace);
        let member = format!("{path}/members/{}", grace.id);
        match act {
            Act::ChangeRole => {
                let role = self.one(ROLE, Act::Join).await;
                let roles = ["viewer", "collaborator", "owner"];
                let others: Vec<_> = roles.into_iter().filter(|other| *other != role).collect();
                let other = others[self.dice.roll(others.len())];
                ada.patch(&member, json!({"role": other})).await.is(200);
            }
            Act::Leave => {
                self.one(ROLE, Act::Join).await;
                ada.delete(&member).await.is(204);
            }
            _ => {
                if self.found(ROLE).await.is_empty() {
                    ada.invite(&self.project.to_string(), grace, "collaborator").await;
                }
            }
        }
    }

    async fn with_tasks(&mut self, act: Act, tasks: &str) {
        let (ada, text) = (self.ada, self.text());
        if let Act::CreateTask = act {
            let task = json!({"title": text, "description": text, "due_at": "2026-12-01T10:00:00.123456789+02:00"});
            ada.post(tasks, task).await.is(201);
            return;
        }
        let task = format!("{tasks}/{}", self.one(TASKS, Act::CreateTask).await);
        match act {
            Act::EditTask => {
                let is_member = !self.found(ROLE).await.is_empty();
                let assignee = if is_member { &self.grace.id } else { &ada.id };
                let change = json!({"title": text, "assignee_id": assignee, "due_at": "2026-12-01T10:00:00+02:00"});
                ada.patch(&task, change).await.is(200);
            }
            Act::ClearTask => {
                let change = json!({"title": text, "assignee_id": null, "due_at": null, "status": "done"});
                ada.patch(&task, change).await.is(200);
            }
            _ => drop(ada.delete(&task).await.is(204)),
        }
    }

    async fn with_comments(&mut self, act: Act, tasks: &str) {
        let (ada, body) = (self.ada, json!({"body": self.text()}));
        if let Act::PostComment = act {
            let task = self.one(TASKS, Act::CreateTask).await;
            ada.post(&format!("{tasks}/{task}/comments"), body).await.is(201);
            return;
        }
        let comment = format!("{tasks}/{}", self.one(COMMENTS, Act::PostComment).await);
        match act {
            Act::EditComment => drop(ada.patch(&comment, body).await.is(200)),
            _ => drop(ada.delete(&comment).await.is(204)),
        }
    }

    async fn with_workspaces(&mut self, act: Act, workspaces: &str) {
        let (ada, text) = (self.ada, self.text());
        if let Act::CreateWorkspace = act {
            ada.post(workspaces, json!({"name": text})).await.is(201);
            return;
        }
        let workspace = format!("{workspaces}/{}", self.one(WORKSPACES, Act::CreateWorkspace).await);
        match act {
            Act::EditWorkspace => {
                ada.patch(&workspace, json!({"name": text, "description": text})).await.is(200);
            }
            _ => drop(ada.delete(&workspace).await.is(204)),
        }
    }

    async fn with_files(&mut self, act: Act, workspaces: &str) {
        let (ada, text, at) = (self.ada, self.text(), format!("folder/{}.txt", self.count));
        if let Act::CreateFile = act {
            let workspace = self.one(WORKSPACES, Act::CreateWorkspace).await;
            ada.post(&format!("{workspaces}/{workspace}/files"), json!({"path": at, "content": text})).await.is(201);
            return;
        }
        let file = format!("{workspaces}/{}", self.one(FILES, Act::CreateFile).await);
        match act {
            Act::WriteFile => {
                let client = ada.with_header("content-type", "text/plain");
                client.send(Method::PUT, &format!("{file}/content"), Some(text)).await.is(200);
            }
            Act::MoveFile => drop(ada.patch(&file, json!({"path": at})).await.is(200)),
            _ => drop(ada.delete(&file).await.is(204)),
        }
    }

    async fn with_jobs(&mut self, act: Act) {
        let (ada, text) = (self.ada, self.text());
        match act {
            Act::SubmitJob => {
                ada.job(json!({"type": "noop", "project_id": self.project})).await;
            }
            Act::DelayJob => {
                let job = json!({
                    "language": "bash", "code": "true", "project_id": self.project, "priority": 1 + self.count % 5,
                    "key": text, "fairness_key": text, "max_attempts": 3,
                    "run_at": "2100-01-01T00:00:00.123456789+02:00",
                });
                ada.job(job).await;
            }
            Act::CancelJob => {
                let job = self.one(WAITING, Act::DelayJob).await;
                ada.cancel(&job).await.is(200);
            }
            Act::RetryJob => {
                let job = self.one(RETRIABLE, Act::CancelJob).await;
                ada.retry(&job).await.is(200);
            }
            _ => {
                let job = self.one(CANCELLED, Act::CancelJob).await;
                ada.delete(&format!("/jobs/{job}")).await.is(204);
            }
        }
    }

    async fn with_schedules(&mut self, act: Act) {
        let (ada, text) = (self.ada, self.text());
        if let Act::CreateSchedule = act {
            let schedule = json!({
                "project_id": self.project, "name": text, "cron": "@yearly", "time_zone": "Europe/Berlin",
                "job": {"type": "noop", "key": text},
            });
            ada.post("/schedules", schedule).await.is(201);
            return;
        }
        let schedule = format!("/schedules/{}", self.one(SCHEDULES, Act::CreateSchedule).await);
        match act {
            Act::EditSchedule => {
                let job = json!({"language": "bash", "code": "true", "priority": 1, "fairness_key": text});
                let seconds = 31_000_000 + self.count;
                let change = json!({"name": null, "every_seconds": seconds, "missed": "all", "job": job});
                ada.patch(&schedule, change).await.is(200);
                ada.patch(&schedule, json!({"paused": true})).await.is(200);
                ada.patch(&schedule, json!({"name": text, "paused": false})).await.is(200);
            }
            _ => drop(ada.delete(&schedule).await.is(204)),
        }
    }

    async fn with_webhooks(&mut self, act: Act, webhooks: &str) {
        let (ada, url) = (self.ada, format!("https://example.com/{}", self.count));
        if let Act::CreateWebhook = act {
            ada.post(webhooks, json!({"url": url, "event_types": ["MemberRemoved"]})).await.is(201);
            return;
        }
        let webhook = format!("{webhooks}/{}", self.one(WEBHOOKS, Act::CreateWebhook).await);
        let change = async |change: Value| drop(ada.patch(&webhook, change).await.is(200));
        match act {
            Act::FilterWebhook => {
                change(json!({"event_types": null})).await;
                change(json!({"event_types": ["TaskUnassigned", "MemberRemoved"]})).await;
            }
            Act::MoveWebhook => change(json!({"url": url})).await,
            Act::SwitchWebhook => {
                change(json!({"enabled": false})).await;
                change(json!({"enabled": true})).await;
            }
            Act::RotateSecret => drop(ada.post(&format!("{webhook}/secret"), json!({})).await.is(201)),
            _ => drop(ada.delete(&webhook).await.is(204)),
        }
    }

    async fn with_rules(&mut self, act: Act) {
        let ada = self.ada;
        let scope = json!({"project_id": self.project, "key": "a key"});
        match act {
            Act::SetRule => {
                let rate = json!({"count": self.count, "seconds": 60});
                let rule = json!({"project_id": self.project, "key": "a key", "running": self.count, "rate": rate});
                ada.put("/jobs/rules", rule).await.is(200);
            }
            Act::PauseJobs => {
                ada.post("/jobs/pause", scope.clone()).await.is(200);
                if self.dice.roll(2) == 0 {
                    ada.post("/jobs/resume", scope).await.is(200);
                }
            }
            // The limits go; with the pause that is in force, or without, the rule itself.
            _ => {
                self.one(LIMITED, Act::SetRule).await;
                ada.put("/jobs/rules", scope).await.is(200);
            }
        }
    }

    /// Redacts an event that holds texts.
    async fn redact(&mut self, path: &str) {
        let types: Vec<&str> = TEXTS.iter().map(|(event_type, _)| *event_type).collect();
        let candidates: Vec<i64> = sqlx::query_scalar(
            "SELECT feed_seq FROM events e WHERE feed_id = $1 AND event_type = ANY($2)
               AND NOT EXISTS (SELECT FROM events r WHERE r.feed_id = e.feed_id AND r.event_type = 'PayloadRedacted'
                               AND (r.payload->>'position')::bigint = e.position)
             ORDER BY feed_seq",
        )
        .bind(self.project)
        .bind(types)
        .fetch_all(self.pool)
        .await
        .expect("events");
        for seq in self.dice.shuffled(&candidates) {
            let reply = self.ada.post(&format!("{path}/events/{seq}/redact"), json!({"reason": "by mistake"})).await;
            match reply.status {
                201 => return,
                // It says nothing in words, or it is of a job that is not over.
                409 => {}
                _ => panic!("place {seq}: {}", reply.text),
            }
        }
        // Nothing is left.
        Box::pin(self.perform(Act::CreateTask)).await;
        Box::pin(self.perform(Act::Redact)).await;
    }
}
