//! Who may do what: roles × actions, in one place (law 9).
//!
//! [`decide`] answers a request before it is decided; [`required_right`] answers an auditor who holds an event and
//! asks which action its actor must have been allowed. Both read the same table.

mod relation;

use serde::{Deserialize, Serialize};

pub use relation::{Facts, Relation, UnknownRelation, Visibility, decide_to_audit};

use crate::account::{AccountEvent, SessionEnd};
use crate::audit_trail::AuditTrailEvent;
use crate::event::DomainEventKind;
use crate::{
    comment::CommentEvent,
    file::FileEvent,
    ids::AccountId,
    invitation::{InvitationEvent, Place},
    job::{CancelReason, JobEvent, MaxAttempts, Priority, Request, Work},
    job_key::JobKeyEvent,
    job_rule::{JobRuleEvent, RuleOwner, RuleScope},
    membership::MembershipEvent,
    organization::OrganizationEvent,
    organization_projects::OrganizationProjectsEvent,
    organization_slug::OrganizationSlugEvent,
    project::{EditPolicy, ProjectEvent},
    schedule::ScheduleEvent,
    task::TaskEvent,
    webhook::{DisableReason, WebhookEvent},
    workspace::WorkspaceEvent,
};

/// A member's role in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventRole))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads, and joins live.
    Viewer,
    /// Edits, and runs jobs.
    Collaborator,
    /// Manages members, and deletes.
    Owner,
}

impl Role {
    /// The role's name in the API and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Collaborator => "collaborator",
            Self::Owner => "owner",
        }
    }
}

/// A member's role in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventOrganizationRole))]
#[serde(rename_all = "snake_case")]
pub enum OrganizationRole {
    /// Reads the whole history of it and of all its projects, and changes nothing.
    Auditor,
    /// Belongs to it.
    Member,
    /// Manages it, and has an owner's rights in its projects.
    Admin,
}

impl OrganizationRole {
    /// The role's name in the API and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// What somebody wants to do with an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrganizationAction {
    /// Read its fields, its members and its history.
    View,
    /// Read the whole history of it and of all its projects, at once.
    Audit,
    /// Create a project in it.
    CreateProjects,
    /// Change its fields.
    Edit,
    /// Add, change and remove members.
    ManageMembers,
    /// Redact events of it, and what is in them.
    Redact,
    /// Delete the organization for good.
    Delete,
}

impl OrganizationAction {
    /// Every action, for exhaustive tests.
    pub const ALL: [Self; 7] =
        [Self::View, Self::Audit, Self::CreateProjects, Self::Edit, Self::ManageMembers, Self::Redact, Self::Delete];
}

/// The table of roles × actions in an organization. Whether members create projects in it, it says itself.
pub fn decide_in_organization(
    role: Option<OrganizationRole>,
    members_can_create_projects: bool,
    action: OrganizationAction,
) -> Decision {
    let allowed = match role {
        None => return Decision::Hidden,
        Some(OrganizationRole::Admin) => true,
        Some(OrganizationRole::Auditor) => matches!(action, OrganizationAction::View | OrganizationAction::Audit),
        Some(OrganizationRole::Member) => match action {
            OrganizationAction::View => true,
            OrganizationAction::CreateProjects => members_can_create_projects,
            OrganizationAction::Audit
            | OrganizationAction::Edit
            | OrganizationAction::ManageMembers
            | OrganizationAction::Redact
            | OrganizationAction::Delete => false,
        },
    };
    if allowed { Decision::Allowed } else { Decision::Forbidden }
}

/// Whether the policy of a project lets a member change its fields whose role would allow it.
pub fn policy_allows(policy: EditPolicy, role: Role, is_lead: bool) -> bool {
    match policy {
        EditPolicy::Collaborators => true,
        EditPolicy::Lead => role == Role::Owner || is_lead,
    }
}

/// What somebody wants to do in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read the project's fields.
    ViewProject,
    /// Read the members.
    ViewMembers,
    /// Read tasks and comments.
    ViewTasks,
    /// Read workspaces, and the files in them.
    ViewFiles,
    /// Read jobs and their output.
    ViewJobs,
    /// Read the ordered history.
    ViewHistory,
    /// Subscribe to the live feed, be seen there, and point somewhere.
    JoinLive,
    /// Say something to everybody who is there.
    PublishLive,
    /// Change the project's fields.
    EditProject,
    /// Write, change and remove tasks; comment, and edit and delete one's own comments.
    EditTasks,
    /// Open, change and close workspaces; create, move, write and remove files.
    EditFiles,
    /// Submit, cancel and retry jobs.
    RunJobs,
    /// Delete the comments of others.
    ModerateComments,
    /// Add, change and remove members.
    ManageMembers,
    /// Redact events: take what they say out of the log.
    Redact,
    /// Delete the project.
    DeleteProject,
}

impl Action {
    /// Every action, for exhaustive tests.
    pub const ALL: [Self; 16] = [
        Self::ViewProject,
        Self::ViewMembers,
        Self::ViewTasks,
        Self::ViewFiles,
        Self::ViewJobs,
        Self::ViewHistory,
        Self::JoinLive,
        Self::PublishLive,
        Self::EditProject,
        Self::EditTasks,
        Self::EditFiles,
        Self::RunJobs,
        Self::ModerateComments,
        Self::ManageMembers,
        Self::Redact,
        Self::DeleteProject,
    ];
}

/// The answer of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The caller has the right.
    Allowed,
    /// A member or visitor who lacks the right: 403.
    Forbidden,
    /// To this caller the project does not exist: 404.
    Hidden,
}

/// The table of roles × actions: what a [`Relation`] allows.
pub fn decide(relation: Relation, action: Action) -> Decision {
    use Action::{
        DeleteProject, EditFiles, EditProject, EditTasks, JoinLive, ManageMembers, ModerateComments, PublishLive,
        Redact, RunJobs, ViewFiles, ViewHistory, ViewJobs, ViewMembers, ViewProject, ViewTasks,
    };
    let allowed = match relation {
        Relation::Stranger => return Decision::Hidden,
        // Of the history a visitor sees less: see `Relation::reads_whole_history`.
        Relation::Visitor | Relation::Auditor => matches!(action, ViewProject | ViewTasks | ViewHistory),
        Relation::Member(Role::Viewer) => {
            matches!(action, ViewProject | ViewMembers | ViewTasks | ViewFiles | ViewJobs | ViewHistory | JoinLive)
        }
        Relation::Member(Role::Collaborator) => match action {
            ViewProject | ViewMembers | ViewTasks | ViewFiles | ViewJobs | ViewHistory | JoinLive | PublishLive
            | EditProject | EditTasks | EditFiles | RunJobs => true,
            ModerateComments | ManageMembers | Redact | DeleteProject => false,
        },
        Relation::Admin | Relation::Member(Role::Owner) => true,
    };
    if allowed { Decision::Allowed } else { Decision::Forbidden }
}

/// The names of the relations that allow an action, for queries.
pub fn allowing(action: Action) -> Vec<&'static str> {
    let allows = |relation: &Relation| decide(*relation, action) == Decision::Allowed;
    Relation::ALL.into_iter().filter(allows).filter_map(Relation::as_str).collect()
}

/// What the log must show about an event's actor at the event's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// A member of the event's project whose role allows the action.
    InProject(Action),
    /// The creation of a project: the project has no members yet.
    FoundProject,
    /// Any member, about themselves: leaving.
    Oneself,
    /// Who was sent the invitation that the event is about, while it can be accepted.
    Invited,
    /// Who has just accepted an invitation to that role, or may add members and adds themselves: joining.
    Joining,
    /// A member of the event's organization whose role allows the action.
    InOrganization(OrganizationAction),
    /// Who may read the whole history of the project or organization whose feed it is; the operator may export any.
    ReadHistory,
    /// A member of the event's organization whose role allows the action; or the operator.
    InOrganizationOrOperator(OrganizationAction),
    /// The creation of an organization by its first admin, or by the service on behalf of an account it registers.
    FoundOrganization,
    /// The account whose own feed it is.
    OwnAccount,
    /// The account whose own feed it is, or the service on behalf of who vouches for it.
    OwnAccountOrService,
    /// A member of the project whose feed it is, whose role lets them run jobs; in an account's feed, that account.
    RunJobs,
    /// As `RunJobs`; or who has submitted the job that ends, if [`action_to_end`] says so.
    EndJob,
    /// Who may redact events of the feed: in a project's `Action::Redact`, in an organization's `OrganizationAction::Redact`,
    /// in an account's own that account; or whoever runs the service, and the service itself what somebody has ordered.
    Redact,
    /// Only the service itself.
    ServiceOnly,
    /// Nobody: words are put into nobody's mouth.
    Nobody,
}

/// What it takes to end a session for this reason.
fn right_to_end_session(reason: SessionEnd) -> Right {
    match reason {
        SessionEnd::RefreshTokenReused | SessionEnd::AccountDeactivated | SessionEnd::SessionLimit => {
            Right::ServiceOnly
        }
        SessionEnd::LoggedOut
        | SessionEnd::Revoked
        | SessionEnd::PasswordChanged
        | SessionEnd::PasswordReset
        | SessionEnd::EmailVerified => Right::OwnAccount,
        SessionEnd::AccountErased => Right::OwnAccountOrService,
    }
}

/// What it takes to submit a job of a project: whoever may read the history may have it written into files, at once.
pub fn action_to_submit(request: &Request) -> Action {
    match request.work {
        Work::ProjectExport { .. } if is_plain(request) => Action::ViewHistory,
        Work::ProjectExport { .. }
        | Work::CodeExecution { .. }
        | Work::Noop {}
        | Work::WebhookDelivery { .. }
        | Work::Email { .. }
        | Work::JobControl { .. } => Action::RunJobs,
    }
}

/// Whether a job is done once, now, and in its turn: it keeps no other job waiting longer than it must.
fn is_plain(request: &Request) -> bool {
    let Request { max_attempts, priority, run_at, key, fairness_key, schedule_id, .. } = request;
    let has_defaults = *max_attempts == MaxAttempts::default() && *priority == Priority::default();
    has_defaults && run_at.is_none() && key.is_none() && fairness_key.is_none() && schedule_id.is_none()
}

/// What it takes to cancel or delete a job of a project: who has asked for an export may end it.
pub fn action_to_end(request: &Request, account_id: AccountId) -> Action {
    match request.work {
        Work::ProjectExport { .. } if request.submitted_by == account_id => Action::ViewHistory,
        _ => Action::RunJobs,
    }
}

/// What it takes to cause an event of a job.
fn right_of_job(event: &JobEvent) -> Right {
    match event {
        JobEvent::JobRequested(request) if matches!(request.work, Work::WebhookDelivery { .. }) => Right::ServiceOnly,
        JobEvent::JobRequested(request) if request.project_id.is_some() => Right::InProject(action_to_submit(request)),
        JobEvent::JobRequested(_) => Right::OwnAccount,
        JobEvent::JobCancelled { reason: CancelReason::Requested } | JobEvent::JobDeleted {} => Right::EndJob,
        JobEvent::JobCancelled { reason: CancelReason::Superseded } | JobEvent::JobRedriven {} => Right::RunJobs,
        JobEvent::JobStarted { .. }
        | JobEvent::JobSucceeded { .. }
        | JobEvent::JobAttemptFailed { .. }
        | JobEvent::JobInterrupted { .. }
        | JobEvent::JobSnoozed { .. }
        | JobEvent::JobDeadLettered { .. }
        | JobEvent::JobCancelled {
            reason: CancelReason::ProjectDeleted | CancelReason::AccountErased | CancelReason::AccountDeactivated,
        } => Right::ServiceOnly,
        JobEvent::PayloadRedacted(_) => Right::Redact,
    }
}

/// What it takes to set a rule for jobs: to decide about all jobs of their owner.
fn right_of_job_rule(event: &JobRuleEvent) -> Right {
    let JobRuleEvent::JobRuleChanged(rule) = event else { return Right::Redact };
    match rule.scope.owner() {
        // What an organization gets beside others is the operator's to say.
        Some(RuleOwner::Organization(_)) if is_about_all(&rule.scope) => {
            Right::InOrganizationOrOperator(OrganizationAction::Edit)
        }
        Some(RuleOwner::Organization(_)) => Right::InOrganization(OrganizationAction::Edit),
        Some(RuleOwner::Project(_)) => Right::InProject(Action::ManageMembers),
        Some(RuleOwner::Account(_)) => Right::OwnAccount,
        None => Right::ServiceOnly,
    }
}

/// Whether nothing narrows the scope.
fn is_about_all(scope: &RuleScope) -> bool {
    scope.job_type.is_none() && scope.key.is_none() && scope.fairness_key.is_none()
}

/// What it takes to cause an event of a webhook.
fn right_of_webhook(event: &WebhookEvent) -> Right {
    match event {
        WebhookEvent::WebhookDisabled {
            reason: DisableReason::Gone | DisableReason::Failing | DisableReason::CreatorLeft,
        } => Right::ServiceOnly,
        WebhookEvent::WebhookCreated { .. }
        | WebhookEvent::WebhookFilterChanged { .. }
        | WebhookEvent::WebhookEndpointChanged { .. }
        | WebhookEvent::WebhookSecretRotated {}
        | WebhookEvent::WebhookEnabled {}
        | WebhookEvent::WebhookDisabled { reason: DisableReason::Requested }
        | WebhookEvent::WebhookRedeliveryRequested { .. }
        | WebhookEvent::WebhookDeleted {} => Right::InProject(Action::ManageMembers),
    }
}

/// What it takes to cause an event of an account.
fn right_of_account(event: &AccountEvent) -> Right {
    match event {
        AccountEvent::SessionEnded { reason, .. } => right_to_end_session(*reason),
        AccountEvent::SessionStarted { .. }
        | AccountEvent::SessionRefreshed { .. }
        | AccountEvent::PasswordChanged { .. }
        | AccountEvent::EmailVerified {}
        | AccountEvent::TokenCreated { .. }
        | AccountEvent::TokenRevoked { .. } => Right::OwnAccount,
        AccountEvent::AccountRegistered { .. }
        | AccountEvent::ProfileChanged { .. }
        | AccountEvent::AccountErased { .. } => Right::OwnAccountOrService,
        AccountEvent::LoginFailed {}
        | AccountEvent::PasswordResetRequested {}
        | AccountEvent::AccountDeactivated { .. }
        | AccountEvent::AccountReactivated { .. } => Right::ServiceOnly,
    }
}

/// The right that an event's actor must have held. Exhaustive, so that a new event without a row does not compile.
pub fn required_right(event: &DomainEventKind, actor_is_subject: bool, project_founded: bool) -> Right {
    match event {
        DomainEventKind::Project(event) => match event {
            ProjectEvent::ProjectCreated { .. } => Right::FoundProject,
            ProjectEvent::ProjectUpdated { .. } => Right::InProject(Action::EditProject),
            ProjectEvent::ProjectDeleted { .. } => Right::InProject(Action::DeleteProject),
            ProjectEvent::PayloadRedacted(_) | ProjectEvent::ProjectPurgeOrdered { .. } => Right::Redact,
        },
        DomainEventKind::Membership(event) => match event {
            MembershipEvent::MemberAdded { .. } if !project_founded => Right::FoundProject,
            MembershipEvent::MemberAdded { .. } if actor_is_subject => Right::Joining,
            MembershipEvent::MemberRemoved { .. } if actor_is_subject => Right::Oneself,
            MembershipEvent::MemberAdded { .. }
            | MembershipEvent::MemberRoleChanged { .. }
            | MembershipEvent::MemberRemoved { .. } => Right::InProject(Action::ManageMembers),
            MembershipEvent::MembershipClosed { .. } => Right::InProject(Action::DeleteProject),
        },
        DomainEventKind::Task(event) => match event {
            TaskEvent::TaskCreated { .. } | TaskEvent::TaskUpdated { .. } | TaskEvent::TaskDeleted {} => {
                Right::InProject(Action::EditTasks)
            }
            TaskEvent::TaskUnassigned { .. } => Right::ServiceOnly,
            TaskEvent::PayloadRedacted(_) => Right::Redact,
        },
        DomainEventKind::Comment(event) => match event {
            CommentEvent::CommentPosted { .. } | CommentEvent::CommentEdited { .. } if !actor_is_subject => {
                Right::Nobody
            }
            CommentEvent::CommentDeleted { .. } if !actor_is_subject => Right::InProject(Action::ModerateComments),
            CommentEvent::CommentPosted { .. }
            | CommentEvent::CommentEdited { .. }
            | CommentEvent::CommentDeleted { .. } => Right::InProject(Action::EditTasks),
            CommentEvent::PayloadRedacted(_) => Right::Redact,
        },
        DomainEventKind::Organization(event) => match event {
            OrganizationEvent::OrganizationCreated { .. } => Right::FoundOrganization,
            OrganizationEvent::OrganizationUpdated { .. } => Right::InOrganization(OrganizationAction::Edit),
            OrganizationEvent::OrganizationMemberRemoved { .. } if actor_is_subject => {
                Right::InOrganization(OrganizationAction::View)
            }
            OrganizationEvent::OrganizationMemberAdded { .. } if actor_is_subject => Right::Joining,
            OrganizationEvent::OrganizationMemberAdded { .. }
            | OrganizationEvent::OrganizationMemberRoleChanged { .. }
            | OrganizationEvent::OrganizationMemberRemoved { .. } => {
                Right::InOrganization(OrganizationAction::ManageMembers)
            }
            OrganizationEvent::OrganizationDeleted {} => Right::InOrganization(OrganizationAction::Delete),
            OrganizationEvent::PayloadRedacted(_) => Right::Redact,
        },
        DomainEventKind::OrganizationProjects(OrganizationProjectsEvent::ProjectAddedToOrganization { .. }) => {
            Right::FoundProject
        }
        DomainEventKind::OrganizationSlug(event) => match event {
            OrganizationSlugEvent::SlugClaimed { .. } | OrganizationSlugEvent::SlugReleased { .. } => {
                Right::InOrganization(OrganizationAction::Edit)
            }
            OrganizationSlugEvent::PayloadRedacted(_) => Right::Redact,
        },
        DomainEventKind::Workspace(event) => match event {
            WorkspaceEvent::WorkspaceCreated { .. }
            | WorkspaceEvent::WorkspaceUpdated { .. }
            | WorkspaceEvent::WorkspaceDeleted {}
            | WorkspaceEvent::FileCreated { .. }
            | WorkspaceEvent::FileMoved { .. }
            | WorkspaceEvent::FileDeleted { .. } => Right::InProject(Action::EditFiles),
            WorkspaceEvent::PayloadRedacted(_) => Right::Redact,
        },
        DomainEventKind::File(FileEvent::FileContentWritten { .. }) => Right::InProject(Action::EditFiles),
        DomainEventKind::File(FileEvent::PayloadRedacted(_)) => Right::Redact,
        DomainEventKind::Invitation(InvitationEvent::InvitationAccepted { .. }) => Right::Invited,
        DomainEventKind::Invitation(InvitationEvent::InvitationLapsed { .. })
        | DomainEventKind::JobKey(JobKeyEvent::JobKeyGranted { .. }) => Right::ServiceOnly,
        DomainEventKind::Invitation(event) => match event.place() {
            Place::Project { .. } => Right::InProject(Action::ManageMembers),
            Place::Organization { .. } => Right::InOrganization(OrganizationAction::ManageMembers),
        },
        DomainEventKind::Job(event) => right_of_job(event),
        DomainEventKind::JobKey(JobKeyEvent::JobKeyClaimed { .. }) => Right::RunJobs,
        DomainEventKind::JobRule(event) => right_of_job_rule(event),
        DomainEventKind::Schedule(event) => match event {
            ScheduleEvent::ScheduleCreated(_)
            | ScheduleEvent::ScheduleUpdated(_)
            | ScheduleEvent::ScheduleTicked { .. }
            | ScheduleEvent::ScheduleResumed { .. }
            | ScheduleEvent::ScheduleDeleted {} => Right::RunJobs,
            ScheduleEvent::ScheduleSuspended { .. } => Right::ServiceOnly,
            ScheduleEvent::PayloadRedacted(_) => Right::Redact,
        },
        DomainEventKind::Webhook(event) => right_of_webhook(event),
        DomainEventKind::AuditTrail(event) => match event {
            AuditTrailEvent::HistoryExported { .. } | AuditTrailEvent::StateRead { .. } => Right::ReadHistory,
        },
        DomainEventKind::Account(event) => right_of_account(event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the feature list, row by row: viewer, collaborator, owner, visitor. Admins have an owner's rights,
    /// auditors a visitor's.
    #[test]
    fn the_table_is_the_published_one() {
        let rows = [
            (Action::ViewProject, [true, true, true, true]),
            (Action::ViewMembers, [true, true, true, false]),
            (Action::ViewTasks, [true, true, true, true]),
            (Action::ViewFiles, [true, true, true, false]),
            (Action::ViewJobs, [true, true, true, false]),
            (Action::ViewHistory, [true, true, true, true]),
            (Action::JoinLive, [true, true, true, false]),
            (Action::PublishLive, [false, true, true, false]),
            (Action::EditProject, [false, true, true, false]),
            (Action::EditTasks, [false, true, true, false]),
            (Action::EditFiles, [false, true, true, false]),
            (Action::RunJobs, [false, true, true, false]),
            (Action::ModerateComments, [false, false, true, false]),
            (Action::ManageMembers, [false, false, true, false]),
            (Action::Redact, [false, false, true, false]),
            (Action::DeleteProject, [false, false, true, false]),
        ];
        assert_eq!(rows.map(|(action, _)| action), Action::ALL);
        let relations = [
            Relation::Member(Role::Viewer),
            Relation::Member(Role::Collaborator),
            Relation::Member(Role::Owner),
            Relation::Visitor,
        ];
        for (action, expected) in rows {
            for (relation, allowed) in relations.into_iter().zip(expected) {
                let decision = if allowed { Decision::Allowed } else { Decision::Forbidden };
                assert_eq!(decide(relation, action), decision, "{relation:?} {action:?}");
            }
            assert_eq!(decide(Relation::Admin, action), decide(Relation::Member(Role::Owner), action));
            assert_eq!(decide(Relation::Auditor, action), decide(Relation::Visitor, action));
            assert_eq!(decide(Relation::Stranger, action), Decision::Hidden);
        }
    }
}
