//! The people, things and moments that the tests speak of.

use time::{Date, OffsetDateTime, macros::date};
use uuid::Uuid;
use workroom_domain::{
    access::{OrganizationRole, Role},
    account::{AccountEvent, Closer, PasswordChange, ProfileField, SessionEnd},
    change::Change,
    comment::CommentEvent,
    event::DomainEventKind,
    file::{Content, FileEvent, Sha256},
    ids::{AccountId, FileId, OrganizationId, ProjectId, SessionId, TaskId, TokenId, WorkspaceId},
    invitation::{InvitationEvent, Place},
    job::{AttemptFailure, CancelReason, Code, JobEvent, Language, LimitHit, Outcome, Timeout, Work},
    membership::MembershipEvent,
    organization::{ImageUrl, OrganizationChanges, OrganizationEvent, OrganizationFields, OrganizationSettings, Slug},
    organization_projects::OrganizationProjectsEvent,
    organization_slug::OrganizationSlugEvent,
    project::{EditPolicy, Priority, ProjectChanges, ProjectEvent, ProjectFields, ProjectStatus, Schedule},
    task::{TaskChanges, TaskEvent, TaskFields, TaskStatus, TaskType},
    text::{Name, Prose},
    timestamp::Timestamp,
    workspace::{FilePath, WorkspaceChanges, WorkspaceEvent},
};

pub const TOKEN: TokenId = TokenId(Uuid::from_u128(0x70c));
pub const ADA: AccountId = AccountId(Uuid::from_u128(0xada));
pub const BOB: AccountId = AccountId(Uuid::from_u128(0xb0b));
pub const EVE: AccountId = AccountId(Uuid::from_u128(0xe5e));
pub const ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(0x0c));
pub const OTHER_ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(0x0d));
pub const PROJECT: ProjectId = ProjectId(Uuid::from_u128(0xa0));
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
        settings: OrganizationSettings { members_can_create_projects: false, allow_guests: None },
    }
}

pub fn organization_changes() -> OrganizationChanges {
    OrganizationChanges {
        name: Some(Change { from: name("Acme"), to: name("Ajax") }),
        slug: Some(Change { from: slug("acme"), to: slug("ajax") }),
        image_url: Some(Change { from: None, to: Some(picture()) }),
        settings: Some(Change {
            from: OrganizationSettings { members_can_create_projects: false, allow_guests: None },
            to: OrganizationSettings { members_can_create_projects: true, allow_guests: None },
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

pub fn work() -> Work {
    Work::CodeExecution {
        language: Language::Python,
        code: Code::parse("print(input())".to_owned()).unwrap(),
        stdin: Some(Code::parse_input("hello\n".to_owned()).unwrap()),
        timeout_seconds: Timeout::from_seconds(30).unwrap(),
    }
}

pub fn success() -> Outcome {
    Outcome { exit_code: Some(0), execution_time_ms: 120, truncated: false, limit_hit: None }
}

pub fn failure() -> Outcome {
    Outcome { exit_code: Some(1), ..success() }
}

pub fn timed_out() -> Outcome {
    Outcome { exit_code: None, execution_time_ms: 30_000, truncated: true, limit_hit: Some(LimitHit::Timeout) }
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
            JobEvent::JobRequested { project_id: Some(PROJECT), submitted_by: ADA, work: work(), max_attempts: 3 },
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
            AccountEvent::AccountErased {},
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

/// Those of workspaces, files and invitations.
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
    events
}
