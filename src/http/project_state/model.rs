//! What states and differences are made of, for the document of the interface: they are written by hand (`document.rs`).
#![expect(dead_code, reason = "only the schemas are used")]

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::projects::{Priority, ProjectStatus, Role};

/// A moment of a project's history.
#[derive(ToSchema)]
pub(super) struct ProjectMoment {
    /// The place of the last event by then.
    #[schema(minimum = 1)]
    seq: i64,
    /// The position of that event in the whole log.
    position: i64,
    /// When that event was recorded.
    time: OffsetDateTime,
    /// The epoch of the log.
    epoch: Uuid,
    /// The root of the Merkle tree over the project's events up to this one, in base64: what a proof of an event, or the checkpoint
    /// of an export that ends there, has. Null for as long as the tree is not there yet.
    feed_root: Option<String>,
}

/// A project as it was at a moment.
#[derive(ToSchema)]
pub(super) struct ProjectState {
    /// The project.
    project_id: Uuid,
    /// The place in its history of the last event by then.
    #[schema(minimum = 1)]
    seq: i64,
    /// The position of that event in the whole log.
    position: i64,
    /// When that event was recorded.
    time: OffsetDateTime,
    /// The epoch of the log.
    epoch: Uuid,
    /// The root of the Merkle tree over the project's events up to this one, in base64: what a proof of an event, or the checkpoint
    /// of an export that ends there, has. Null for as long as the tree is not there yet.
    feed_root: Option<String>,
    /// Its own fields.
    project: StateProject,
    /// Who belonged to it; for members, as all that follow but tasks and comments.
    #[schema(required = false)]
    members: Vec<StateMember>,
    /// Its workspaces.
    #[schema(required = false)]
    workspaces: Vec<StateWorkspace>,
    /// The files of all workspaces. Their contents had these digests.
    #[schema(required = false)]
    files: Vec<StateFile>,
    /// Its tasks.
    tasks: Vec<StateTask>,
    /// The comments on all tasks.
    comments: Vec<StateComment>,
    /// Its jobs, without deliveries of webhooks, which have histories of their own.
    #[schema(required = false)]
    jobs: Vec<StateJob>,
    /// Its schedules.
    #[schema(required = false)]
    schedules: Vec<StateSchedule>,
    /// Its webhooks, without addresses and secrets, which stand in no history.
    #[schema(required = false)]
    webhooks: Vec<StateWebhook>,
    /// The rules for its jobs that were in force.
    #[schema(required = false)]
    job_rules: Vec<StateJobRule>,
}

/// A project's own fields, as they were.
#[derive(ToSchema)]
pub(super) struct StateProject {
    /// The project's id.
    id: Uuid,
    /// The organization it lives in.
    organization_id: Uuid,
    /// What it is called.
    name: String,
    /// What it is about.
    description: String,
    /// Whether any signed-in account may look at it.
    is_public: bool,
    /// How far it is.
    #[schema(value_type = ProjectStatus)]
    status: String,
    /// How pressing it is.
    #[schema(value_type = Priority)]
    priority: String,
    /// The first day of the project; null where none is set.
    #[schema(format = Date)]
    start_date: Option<String>,
    /// The last day of the project; null where none is set.
    #[schema(format = Date)]
    end_date: Option<String>,
    /// Who leads it.
    team_lead: Option<Uuid>,
    /// Who may change its fields.
    edit_policy: String,
    /// Whether the lead may add members.
    lead_can_add_members: bool,
    /// Who created it.
    created_by: Uuid,
    /// When it was created.
    created_at: OffsetDateTime,
    /// When it last changed.
    updated_at: OffsetDateTime,
    /// Its version.
    version: i64,
    /// Whether it was deleted.
    deleted: bool,
    /// How many belonged to it.
    member_count: i64,
}

/// A member, as it was.
#[derive(ToSchema)]
pub(super) struct StateMember {
    /// The account's id.
    user_id: Uuid,
    /// The member's role.
    #[schema(value_type = Role)]
    role: String,
    /// When the account became a member.
    added_at: OffsetDateTime,
}

/// A workspace, as it was.
#[derive(ToSchema)]
pub(super) struct StateWorkspace {
    /// The workspace's id.
    id: Uuid,
    /// The project it belongs to.
    project_id: Uuid,
    /// What it is called.
    name: String,
    /// What it is for.
    description: String,
    /// How many files lie in it.
    file_count: i64,
    /// Who opened it.
    created_by: Uuid,
    /// When it was created.
    created_at: OffsetDateTime,
    /// When it, or its tree of files, last changed.
    updated_at: OffsetDateTime,
    /// Its version.
    version: i64,
}

/// A file, as it was.
#[derive(ToSchema)]
pub(super) struct StateFile {
    /// The file's id.
    id: Uuid,
    /// The workspace that it lies in.
    workspace_id: Uuid,
    /// Its path in the workspace.
    path: String,
    /// The size of its content, in bytes.
    size: i64,
    /// The SHA-256 of its content, in lower-case hexadecimal.
    sha256: String,
    /// The account that created it.
    created_by: Uuid,
    /// When it was created.
    created_at: OffsetDateTime,
    /// The account that moved or wrote it last.
    updated_by: Uuid,
    /// When that was.
    updated_at: OffsetDateTime,
    /// Its version.
    version: i64,
}

/// A task, as it was.
#[derive(ToSchema)]
pub(super) struct StateTask {
    /// The task's id.
    id: Uuid,
    /// The project it belongs to.
    project_id: Uuid,
    /// What is to be done, in one line.
    title: String,
    /// What is to be done, at length.
    description: String,
    /// How far it is.
    status: String,
    /// What kind of task it is.
    r#type: String,
    /// How urgent it is.
    #[schema(value_type = Priority)]
    priority: String,
    /// The account that is to do it.
    assignee_id: Option<Uuid>,
    /// When it should be done by.
    due_at: Option<OffsetDateTime>,
    /// How many comments it has.
    comment_count: i64,
    /// The account that created it.
    created_by: Uuid,
    /// When it was created.
    created_at: OffsetDateTime,
    /// When one of its fields last changed.
    updated_at: OffsetDateTime,
    /// Its version.
    version: i64,
}

/// A comment, as it was.
#[derive(ToSchema)]
pub(super) struct StateComment {
    /// The comment's id.
    id: Uuid,
    /// The project that the task belongs to.
    project_id: Uuid,
    /// The task that is commented on.
    task_id: Uuid,
    /// The text.
    body: String,
    /// The account that wrote it.
    author_id: Uuid,
    /// When it was written.
    created_at: OffsetDateTime,
    /// When its text last changed.
    updated_at: OffsetDateTime,
    /// Its version.
    version: i64,
}

/// A job, as it was; what it printed stands in no history.
#[derive(ToSchema)]
pub(super) struct StateJob {
    /// The job's id.
    id: Uuid,
    /// What kind of work it is.
    r#type: String,
    /// The language of its program.
    language: Option<String>,
    /// How long the program may run.
    timeout_seconds: Option<i64>,
    /// The project it belongs to.
    project_id: Option<Uuid>,
    /// The account that submitted it.
    submitted_by: Uuid,
    /// How far it is.
    status: String,
    /// How urgent it is, 1 to 5.
    priority: i64,
    /// When it was to be done, where that was asked for.
    run_at: Option<OffsetDateTime>,
    /// Of the jobs with the same key one runs at a time.
    key: Option<String>,
    /// Jobs with different ones take turns.
    fairness_key: Option<String>,
    /// The schedule that submitted it.
    schedule_id: Option<Uuid>,
    /// How many attempts were started, without those that were interrupted.
    attempts: i64,
    /// How often it may be tried.
    max_attempts: i64,
    /// When the next attempt is due, where it waits.
    next_attempt_at: Option<OffsetDateTime>,
    /// The exit code of the latest finished attempt.
    exit_code: Option<i64>,
    /// How long that ran.
    execution_time_ms: Option<i64>,
    /// Whether some of its output was dropped.
    truncated: Option<bool>,
    /// The limit that ended it.
    limit_hit: Option<String>,
    /// How many jobs it was about, where it controls others.
    matched: Option<i64>,
    /// With how many of them it was done.
    changed: Option<i64>,
    /// With how many it was not.
    refused: Option<i64>,
    /// When it was submitted.
    created_at: OffsetDateTime,
    /// When the latest attempt started.
    started_at: Option<OffsetDateTime>,
    /// When it was over.
    completed_at: Option<OffsetDateTime>,
    /// Its version.
    version: i64,
}

/// A schedule, as it was, with the job that it submits.
#[derive(ToSchema)]
pub(super) struct StateSchedule {
    /// The schedule's id.
    id: Uuid,
    /// What it is called.
    name: Option<String>,
    /// The project it belongs to.
    project_id: Option<Uuid>,
    /// The account that created it.
    created_by: Uuid,
    /// The account that submits the jobs.
    acts_for: Uuid,
    /// The cron expression whose minutes it runs at.
    cron: Option<String>,
    /// The seconds between two runs.
    every_seconds: Option<i64>,
    /// The time zone whose clocks it goes by.
    time_zone: String,
    /// What becomes of missed runs.
    missed: String,
    /// Whether it rests.
    paused: bool,
    /// Why it cannot go on; null where it can.
    suspended: Option<String>,
    /// What kind of work its jobs are.
    r#type: String,
    /// The language of their program.
    language: Option<String>,
    /// How long the program may run.
    timeout_seconds: Option<i64>,
    /// How urgent they are.
    priority: i64,
    /// How often each may be tried.
    max_attempts: i64,
    /// Of the jobs with the same key one runs at a time.
    key: Option<String>,
    /// Jobs with different ones take turns.
    fairness_key: Option<String>,
    /// The workspace whose files they run.
    workspace_id: Option<Uuid>,
    /// For how many seconds each is the only one with its key.
    unique_seconds: Option<i64>,
    /// When it runs next; null while it rests.
    next_run_at: Option<OffsetDateTime>,
    /// The time that the latest job was submitted for.
    last_run_at: Option<OffsetDateTime>,
    /// The latest job.
    last_job_id: Option<Uuid>,
    /// Why the latest run that was due submitted no job; null where it did.
    passed_over: Option<String>,
    /// When it was created.
    created_at: OffsetDateTime,
    /// When it last changed; runs do not count.
    updated_at: OffsetDateTime,
    /// Its version.
    version: i64,
}

/// A webhook, as it was.
#[derive(ToSchema)]
pub(super) struct StateWebhook {
    /// The webhook's id.
    id: Uuid,
    /// The project whose events it sends.
    project_id: Uuid,
    /// The types of the events that it sends; null for all.
    event_types: Option<Vec<String>>,
    /// Whether it sends anything.
    enabled: bool,
    /// Why it sends nothing; null where it does.
    disabled_reason: Option<String>,
    /// The account that created it.
    created_by: Uuid,
    /// When it was created.
    created_at: OffsetDateTime,
    /// When it last changed.
    updated_at: OffsetDateTime,
    /// Its version.
    version: i64,
}

/// A rule for jobs, as it was.
#[derive(ToSchema)]
pub(super) struct StateJobRule {
    /// The rule's id.
    id: Uuid,
    /// The project whose jobs it is about.
    project_id: Option<Uuid>,
    /// Only jobs of this type.
    r#type: Option<String>,
    /// Only jobs with this key.
    key: Option<String>,
    /// Only jobs with this fairness key.
    fairness_key: Option<String>,
    /// Whether none of the jobs start.
    paused: bool,
    /// How many turns the fairness key gets for one of another.
    weight: Option<i64>,
    /// How many of the jobs run at a time at most.
    running: Option<i64>,
    /// How many of the jobs start in a time at most.
    rate_count: Option<i64>,
    /// How long that time is, in seconds.
    rate_seconds: Option<i64>,
    /// Its version.
    version: i64,
}

/// What differs between a project at two moments.
#[derive(ToSchema)]
pub(super) struct ProjectDiff {
    /// The project.
    project_id: Uuid,
    /// The one moment.
    from: ProjectMoment,
    /// The other moment.
    to: ProjectMoment,
    /// What differs: by kind, in the order of a state, and then by id.
    changes: Vec<ProjectChange>,
}

/// What became of a thing, or what it is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum ChangeKind {
    /// It was not there, and is.
    Created,
    /// It is another than it was.
    Changed,
    /// It was there, and is not.
    Deleted,
}

/// What became of a thing in a project.
#[derive(ToSchema)]
pub(super) struct ProjectChange {
    /// What it is: `project`, `member`, `workspace`, `file`, `task`, `comment`, `job`, `schedule`, `webhook` or `job_rule`.
    #[schema(example = "task")]
    kind: String,
    /// Its id; of a member the account's.
    id: Uuid,
    /// What became of it.
    change: ChangeKind,
    /// The fields that differ, as they are in a state.
    fields: BTreeMap<String, FieldDifference>,
}

/// A field that differs. It is null where the thing is not there.
#[derive(ToSchema)]
pub(super) struct FieldDifference {
    /// The value at the one moment.
    from: Value,
    /// The value at the other moment.
    to: Value,
}
