//! The people, things and moments that the tests speak of.

use time::{Date, OffsetDateTime, macros::date};
use uuid::Uuid;
use workroom_domain::{
    access::{OrganizationRole, Role},
    account::{AccountEvent, Closer, PasswordChange, ProfileField, SessionEnd},
    audit_trail::AuditTrailEvent,
    change::Change,
    comment::CommentEvent,
    event::DomainEventKind,
    file::{Content, FileEvent, Sha256},
    ids::{AccountId, FileId, JobId, OrganizationId, ProjectId, ScheduleId, SessionId, TaskId, TokenId, WorkspaceId},
    invitation::{InvitationEvent, Place},
    job::{
        self, AttemptFailure, CancelReason, Code, InlineProgram, Input, Interruption, JobEvent, Key, Language,
        LimitHit, MaxAttempts, Outcome, Request, Source, Timeout, Work,
    },
    job_key::JobKeyEvent,
    job_rule::{JobRuleEvent, Rate, Rule, RuleOwner, RuleScope, Running, Weight},
    membership::MembershipEvent,
    organization::{ImageUrl, OrganizationChanges, OrganizationEvent, OrganizationFields, OrganizationSettings, Slug},
    organization_projects::OrganizationProjectsEvent,
    organization_slug::OrganizationSlugEvent,
    project::{EditPolicy, Priority, ProjectChanges, ProjectEvent, ProjectFields, ProjectStatus, Schedule},
    redaction::PayloadRedacted,
    schedule::{
        CronExpression, EverySeconds, JobTemplate, MissedRuns, NewSchedule, ScheduleChanges, ScheduleEvent,
        ScheduleFields, ScheduleUpdate, Suspension, TimeZoneName, Timing,
    },
    task::{TaskChanges, TaskEvent, TaskFields, TaskStatus, TaskType},
    text::{Name, Prose},
    timestamp::Timestamp,
    webhook::{DisableReason, EndpointField, EventFilter, WebhookEvent},
    workspace::{FilePath, WorkspaceChanges, WorkspaceEvent},
};

pub const TOKEN: TokenId = TokenId(Uuid::from_u128(0x70c));
pub const ADA: AccountId = AccountId(Uuid::from_u128(0xada));
pub const BOB: AccountId = AccountId(Uuid::from_u128(0xb0b));
pub const EVE: AccountId = AccountId(Uuid::from_u128(0xe5e));
pub const ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(0x0c));
pub const OTHER_ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(0x0d));
pub const PROJECT: ProjectId = ProjectId(Uuid::from_u128(0xa0));
pub const JOB: JobId = JobId(Uuid::from_u128(0x10b));
pub const OTHER_JOB: JobId = JobId(Uuid::from_u128(0x20b));
pub const TASK: TaskId = TaskId(Uuid::from_u128(0x7a));
pub const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(0x30));
pub const FILE: FileId = FileId(Uuid::from_u128(0xf1));
pub const OTHER_FILE: FileId = FileId(Uuid::from_u128(0xf2));
pub const SESSION: SessionId = SessionId(Uuid::from_u128(0x5e));
pub const WORKER: Uuid = Uuid::from_u128(0x3a);
pub const OTHER_WORKER: Uuid = Uuid::from_u128(0x3b);

pub const MARCH: Date = date!(2026 - 03 - 01);
pub const APRIL: Date = date!(2026 - 04 - 01);
pub const MAY: Date = date!(2026 - 05 - 01);

/// When a failed attempt of the examples is due again.
pub fn later() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(1_777_777_777_123_456_000).unwrap()
}

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub fn prose(text: &str) -> Prose {
    Prose::parse(text).unwrap()
}

pub fn fields() -> ProjectFields {
    ProjectFields {
        name: name("Apollo"),
        description: prose("To the moon.\nAnd back."),
        is_public: false,
        status: ProjectStatus::Planning,
        priority: Priority::Medium,
        schedule: Schedule { start_date: Some(MARCH), end_date: Some(MAY) },
        team_lead: None,
        edit_policy: EditPolicy::Collaborators,
        lead_can_add_members: false,
    }
}

pub fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

pub fn picture() -> ImageUrl {
    ImageUrl::parse("https://example.com/a.png").unwrap()
}

pub fn organization_fields() -> OrganizationFields {
    OrganizationFields {
        name: name("Acme"),
        slug: slug("acme"),
        image_url: None,
        settings: OrganizationSettings {
            members_can_create_projects: false,
            allow_guests: None,
            job_output_days: None,
            job_code_days: None,
        },
    }
}

pub fn organization_changes() -> OrganizationChanges {
    OrganizationChanges {
        name: Some(Change { from: name("Acme"), to: name("Ajax") }),
        slug: Some(Change { from: slug("acme"), to: slug("ajax") }),
        image_url: Some(Change { from: None, to: Some(picture()) }),
        settings: Some(Change {
            from: OrganizationSettings {
                members_can_create_projects: false,
                allow_guests: None,
                job_output_days: None,
                job_code_days: None,
            },
            to: OrganizationSettings {
                members_can_create_projects: true,
                allow_guests: None,
                job_output_days: None,
                job_code_days: None,
            },
        }),
    }
}

pub fn due() -> Timestamp {
    Timestamp::new(later()).unwrap()
}

pub fn task_fields() -> TaskFields {
    TaskFields {
        title: name("Launch"),
        description: prose("All engines."),
        assignee_id: Some(ADA),
        status: TaskStatus::Todo,
        task_type: TaskType::Feature,
        priority: Priority::High,
        due_at: Some(due()),
    }
}

pub fn task_changes() -> TaskChanges {
    TaskChanges {
        title: Some(Change { from: name("Launch"), to: name("Land") }),
        description: Some(Change { from: prose("All engines."), to: prose("Softly.") }),
        assignee_id: Some(Change { from: Some(ADA), to: None }),
        status: Some(Change { from: TaskStatus::Todo, to: TaskStatus::InProgress }),
        task_type: Some(Change { from: TaskType::Feature, to: TaskType::Improvement }),
        priority: Some(Change { from: Priority::High, to: Priority::Low }),
        due_at: Some(Change { from: Some(due()), to: None }),
    }
}

pub fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

/// Some bytes, by a digest that no bytes have to have.
pub fn content(size: u32) -> Content {
    Content { size, sha256: Sha256([u8::try_from(size).unwrap(); 32]) }
}

pub fn language(name: &str) -> Language {
    Language::parse(name).unwrap()
}

pub fn max_attempts(number: u32) -> MaxAttempts {
    MaxAttempts::from_number(number).unwrap()
}

pub fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

/// What version 1 could ask for: the program is in the event.
pub fn request() -> Request {
    let work = Work::CodeExecution {
        language: language("python"),
        timeout_seconds: Timeout::from_seconds(30).unwrap(),
        source: Source::Inline(InlineProgram {
            code: Code::parse("print(input())".to_owned()).unwrap(),
            stdin: Some(Code::parse_input("hello\n".to_owned()).unwrap()),
        }),
    };
    Request {
        project_id: Some(PROJECT),
        organization_id: None,
        submitted_by: ADA,
        work,
        max_attempts: max_attempts(3),
        priority: job::Priority::default(),
        run_at: None,
        key: None,
        fairness_key: None,
        schedule_id: None,
    }
}

/// All that can be asked for, each thing other than when it is left out. The program is kept outside the log.
pub fn full_request() -> Request {
    let work = Work::CodeExecution {
        language: language("c++"),
        timeout_seconds: Timeout::from_seconds(300).unwrap(),
        source: Source::Input(Input { size: 100, sha256: Sha256([100; 32]) }),
    };
    Request {
        project_id: Some(PROJECT),
        organization_id: Some(ORGANIZATION),
        submitted_by: ADA,
        work,
        max_attempts: max_attempts(25),
        priority: job::Priority::from_number(1).unwrap(),
        run_at: Some(later()),
        key: Some(key("nightly")),
        fairness_key: Some(key("Zoë’s 🚀")),
        schedule_id: Some(ScheduleId(Uuid::from_u128(0x5c))),
    }
}

pub fn success() -> Outcome {
    Outcome { exit_code: Some(0), execution_time_ms: 120, truncated: false, limit_hit: None, control: None }
}

pub fn failure() -> Outcome {
    Outcome { exit_code: Some(1), ..success() }
}

pub fn timed_out() -> Outcome {
    let limit_hit = Some(LimitHit::Time);
    Outcome { exit_code: None, execution_time_ms: 30_000, truncated: true, limit_hit, control: None }
}

/// One event of every kind, in the order in which the aggregates declare them.
pub fn every_event() -> Vec<DomainEventKind> {
    let changes = ProjectChanges {
        name: Some(Change { from: name("Apollo"), to: name("Artemis") }),
        description: Some(Change { from: prose("To the moon."), to: prose("") }),
        is_public: Some(Change { from: false, to: true }),
        status: Some(Change { from: ProjectStatus::Planning, to: ProjectStatus::OnHold }),
        priority: Some(Change { from: Priority::Medium, to: Priority::High }),
        schedule: Some(Change {
            from: Schedule { start_date: Some(MARCH), end_date: Some(MAY) },
            to: Schedule { start_date: Some(APRIL), end_date: None },
        }),
        team_lead: None,
        edit_policy: None,
        lead_can_add_members: None,
    };
    let failure = AttemptFailure::Program { outcome: timed_out() };
    let mut events = Vec::new();
    events.extend(
        [
            ProjectEvent::ProjectCreated { organization_id: ORGANIZATION, fields: fields() },
            ProjectEvent::ProjectUpdated { changes },
            ProjectEvent::ProjectDeleted {},
        ]
        .map(DomainEventKind::Project),
    );
    events.extend(
        [
            MembershipEvent::MemberAdded { account_id: ADA, role: Role::Owner },
            MembershipEvent::MemberRoleChanged { account_id: ADA, from: Role::Owner, to: Role::Collaborator },
            MembershipEvent::MemberRemoved { account_id: ADA, role: Role::Viewer },
            MembershipEvent::MembershipClosed {},
        ]
        .map(DomainEventKind::Membership),
    );
    events.extend(
        [
            JobEvent::JobRequested(Box::new(request())),
            JobEvent::JobStarted { attempt: 1, worker_id: WORKER },
            JobEvent::JobSucceeded { attempt: 1, outcome: success() },
            JobEvent::JobAttemptFailed { attempt: 1, failure, retry_at: Some(later()) },
            JobEvent::JobDeadLettered { attempt: 3 },
        ]
        .map(DomainEventKind::Job),
    );
    events.extend(
        [
            AccountEvent::AccountRegistered { personal_organization_id: ORGANIZATION },
            AccountEvent::SessionStarted { session_id: SESSION },
            AccountEvent::SessionRefreshed { session_id: SESSION, generation: 1 },
            AccountEvent::SessionEnded { session_id: SESSION, reason: SessionEnd::RefreshTokenReused },
            AccountEvent::LoginFailed {},
            AccountEvent::ProfileChanged { fields: vec![ProfileField::Username, ProfileField::FullName] },
            AccountEvent::PasswordChanged { change: PasswordChange::Reset },
            AccountEvent::PasswordResetRequested {},
            AccountEvent::EmailVerified {},
            AccountEvent::TokenCreated { token_id: TOKEN },
            AccountEvent::TokenRevoked { token_id: TOKEN },
            AccountEvent::AccountDeactivated { by: Closer::Operator },
            AccountEvent::AccountReactivated { by: Closer::Operator },
            AccountEvent::AccountErased { content_redacted: false },
        ]
        .map(DomainEventKind::Account),
    );
    events.extend(
        [
            TaskEvent::TaskCreated { project_id: PROJECT, fields: task_fields() },
            TaskEvent::TaskUpdated { changes: task_changes() },
            TaskEvent::TaskUnassigned { assignee_id: ADA },
            TaskEvent::TaskDeleted {},
        ]
        .map(DomainEventKind::Task),
    );
    events.extend(
        [
            CommentEvent::CommentPosted { project_id: PROJECT, task_id: TASK, author_id: ADA, body: prose("Done.") },
            CommentEvent::CommentEdited { task_id: TASK, body: Change { from: prose("Done."), to: prose("Not yet.") } },
            CommentEvent::CommentDeleted { task_id: TASK },
        ]
        .map(DomainEventKind::Comment),
    );
    let (account_id, from, to) = (BOB, OrganizationRole::Member, OrganizationRole::Admin);
    events.extend(
        [
            OrganizationEvent::OrganizationCreated { is_personal: false, admin_id: ADA, fields: organization_fields() },
            OrganizationEvent::OrganizationUpdated { changes: organization_changes() },
            OrganizationEvent::OrganizationMemberAdded { account_id, role: from },
            OrganizationEvent::OrganizationMemberRoleChanged { account_id, from, to },
            OrganizationEvent::OrganizationMemberRemoved { account_id, role: to },
            OrganizationEvent::OrganizationDeleted {},
        ]
        .map(DomainEventKind::Organization),
    );
    events.extend(
        [
            OrganizationSlugEvent::SlugClaimed { slug: slug("acme"), organization_id: ORGANIZATION },
            OrganizationSlugEvent::SlugReleased { organization_id: ORGANIZATION },
        ]
        .map(DomainEventKind::OrganizationSlug),
    );
    events.extend(room_events());
    events
}

/// Those of workspaces, files and invitations, and what came later.
fn room_events() -> Vec<DomainEventKind> {
    let changes = WorkspaceChanges {
        name: Some(Change { from: name("Lab"), to: name("Office") }),
        description: Some(Change { from: prose("To try."), to: prose("To work.") }),
    };
    let moved = Change { from: path("main.py"), to: path("src/main.py") };
    let mut events = Vec::new();
    events.extend(
        [
            WorkspaceEvent::WorkspaceCreated { project_id: PROJECT, name: name("Lab"), description: prose("To try.") },
            WorkspaceEvent::WorkspaceUpdated { changes },
            WorkspaceEvent::FileCreated { file_id: FILE, path: path("main.py") },
            WorkspaceEvent::FileMoved { file_id: FILE, path: moved },
            WorkspaceEvent::FileDeleted { file_id: FILE, path: path("src/main.py") },
            WorkspaceEvent::WorkspaceDeleted {},
        ]
        .map(DomainEventKind::Workspace),
    );
    events.push(DomainEventKind::File(FileEvent::FileContentWritten {
        project_id: PROJECT,
        workspace_id: WORKSPACE,
        content: content(12),
    }));
    let place = Place::Project { project_id: PROJECT, role: Role::Viewer };
    events.extend(
        [
            InvitationEvent::InvitationSent { place, expires_at: due(), invited_by: None },
            InvitationEvent::InvitationRevoked { place },
            InvitationEvent::InvitationAccepted { place, account_id: BOB },
        ]
        .map(DomainEventKind::Invitation),
    );
    events.push(DomainEventKind::Job(JobEvent::JobCancelled { reason: CancelReason::ProjectDeleted }));
    events.push(DomainEventKind::OrganizationProjects(OrganizationProjectsEvent::ProjectAddedToOrganization {
        organization_id: ORGANIZATION,
        project_id: PROJECT,
    }));
    events.push(DomainEventKind::Invitation(InvitationEvent::InvitationLapsed { place }));
    let (attempt, cause) = (1, Interruption::WorkerLost);
    events.extend(
        [
            JobEvent::JobInterrupted { attempt, cause, uncounted: 1, retry_at: Some(later()) },
            JobEvent::JobSnoozed { attempt, uncounted: 2, until: later() },
            JobEvent::JobRedriven {},
        ]
        .map(DomainEventKind::Job),
    );
    let (project_id, account_id, job_id) = (Some(PROJECT), ADA, JOB);
    events.extend(
        [
            JobKeyEvent::JobKeyClaimed { project_id, account_id, job_id, unique_until: Some(later()) },
            JobKeyEvent::JobKeyGranted { project_id, account_id, job_id, attempt: 2 },
        ]
        .map(DomainEventKind::JobKey),
    );
    events.extend(schedule_events().map(DomainEventKind::Schedule));
    events.extend(webhook_events());
    events.push(DomainEventKind::Job(JobEvent::JobDeleted {}));
    events.push(DomainEventKind::JobRule(JobRuleEvent::JobRuleChanged(Box::new(job_rule()))));
    events.extend(
        [AuditTrailEvent::HistoryExported { after: 0, until: 12 }, AuditTrailEvent::StateRead { as_of: 7 }]
            .map(DomainEventKind::AuditTrail),
    );
    events.extend(redactions());
    events.push(DomainEventKind::Project(ProjectEvent::ProjectPurgeOrdered { reason: name("The contract is over.") }));
    events
}

/// That an event of each aggregate with texts was redacted.
fn redactions() -> [DomainEventKind; 10] {
    let file = format!("files/{}", FILE.uuid());
    [
        DomainEventKind::Project(ProjectEvent::PayloadRedacted(redacted("ProjectCreated", &["name"]).into())),
        DomainEventKind::Job(JobEvent::PayloadRedacted(redacted("JobRequested", &["source"]).into())),
        DomainEventKind::JobRule(JobRuleEvent::PayloadRedacted(redacted("JobRuleChanged", &["key"]).into())),
        DomainEventKind::Schedule(ScheduleEvent::PayloadRedacted(redacted("ScheduleCreated", &["name"]).into())),
        DomainEventKind::Task(TaskEvent::PayloadRedacted(redacted("TaskUpdated", &["title", "description"]).into())),
        DomainEventKind::Comment(CommentEvent::PayloadRedacted(redacted("CommentPosted", &["body"]).into())),
        DomainEventKind::Organization(OrganizationEvent::PayloadRedacted(
            redacted("OrganizationCreated", &["slug"]).into(),
        )),
        DomainEventKind::OrganizationSlug(OrganizationSlugEvent::PayloadRedacted(redacted("SlugClaimed", &[]).into())),
        DomainEventKind::Workspace(WorkspaceEvent::PayloadRedacted(redacted("FileCreated", &[&file]).into())),
        DomainEventKind::File(FileEvent::PayloadRedacted(redacted("FileContentWritten", &["content"]).into())),
    ]
}

/// That the event at position 7 was redacted.
pub fn redacted(event_type: &str, fields: &[&str]) -> PayloadRedacted {
    PayloadRedacted {
        position: 7,
        event_id: Uuid::from_u128(0xe7),
        event_type: event_type.to_owned(),
        reason: name("It named a customer."),
        remains: Sha256([7; 32]),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    }
}

/// A rule for jobs that says everything.
pub fn job_rule() -> Rule {
    let scope = RuleScope::all_of(RuleOwner::Project(PROJECT));
    Rule {
        scope: RuleScope {
            job_type: Some("code_execution".to_owned()),
            key: Some(key("nightly")),
            fairness_key: Some(key("reports")),
            ..scope
        },
        paused: true,
        weight: Weight::from_number(3),
        running: Running::from_number(2),
        rate: Rate::new(10, 60),
    }
}

/// Those of schedules.
fn schedule_events() -> [ScheduleEvent; 6] {
    let (counted_from, next_at) = (due(), Some(due()));
    let timing = Timing::Cron(CronExpression::parse("30 3 * * mon-fri").unwrap());
    let job = JobTemplate {
        work: Work::Noop {},
        max_attempts: max_attempts(3),
        priority: job::Priority::default(),
        key: Some(key("nightly")),
        fairness_key: None,
        workspace_id: None,
        unique_seconds: None,
    };
    let fields = ScheduleFields {
        name: Some(name("Nightly")),
        timing: timing.clone(),
        time_zone: TimeZoneName::parse("Europe/Berlin").unwrap(),
        missed: MissedRuns::One,
        paused: false,
        job,
    };
    let every = Timing::EverySeconds(EverySeconds::from_number(3600).unwrap());
    let changes = ScheduleChanges {
        name: Some(Change { from: Some(name("Nightly")), to: None }),
        timing: Some(Change { from: timing, to: every }),
        paused: Some(Change { from: false, to: true }),
        ..ScheduleChanges::default()
    };
    let new = NewSchedule { project_id: Some(PROJECT), created_by: ADA, fields, counted_from, next_at };
    let update = ScheduleUpdate { changes, acts_for: ADA, counted_from, next_at: None };
    [
        ScheduleEvent::ScheduleCreated(Box::new(new)),
        ScheduleEvent::ScheduleUpdated(Box::new(update)),
        ScheduleEvent::ScheduleTicked { tick_at: due(), job_id: Some(JOB), made_up: 0, next_at, passed_over: None },
        ScheduleEvent::ScheduleSuspended { reason: Suspension::RightLost },
        ScheduleEvent::ScheduleResumed { acts_for: BOB, next_at },
        ScheduleEvent::ScheduleDeleted {},
    ]
}

fn webhook_events() -> Vec<DomainEventKind> {
    let event_types = EventFilter::parse(&["TaskCreated".to_owned(), "TaskUpdated".to_owned()]).ok();
    let (delivery_id, event_id) = (JobId(Uuid::from_u128(0xde)), Uuid::from_u128(0xe7));
    [
        WebhookEvent::WebhookCreated { project_id: PROJECT, event_types: event_types.clone() },
        WebhookEvent::WebhookFilterChanged { from: event_types, to: None },
        WebhookEvent::WebhookEndpointChanged { fields: vec![EndpointField::Url, EndpointField::Description] },
        WebhookEvent::WebhookSecretRotated {},
        WebhookEvent::WebhookEnabled {},
        WebhookEvent::WebhookDisabled { reason: DisableReason::Requested },
        WebhookEvent::WebhookRedeliveryRequested { delivery_id, event_id, position: 7 },
        WebhookEvent::WebhookDeleted {},
    ]
    .map(DomainEventKind::Webhook)
    .to_vec()
}
