//! The domain of Workroom: aggregates, the commands they accept, the events they emit, and who may do what.
//!
//! Everything here is pure: time, ids and randomness arrive inside commands, nothing reads a clock or a database
//! (law 8 in `docs/architecture.md`). Each aggregate is a folder with the same four files, read in this order:
//! `command.rs` (what may be asked), `event.rs` (what can have happened), `refusal.rs` (why it may say no) and
//! `aggregate.rs` (the state, `decide`, `evolve`). Their given/when/then tests are in `domain/tests/`.
//!
//! To add an aggregate: copy that folder's shape, implement [`Decide`], call `cqrs_aggregate!`, list it in `each_aggregate!`
//! below, and give every event a row in [`access::required_right`] and in `redaction/table.rs`.

/// Calls a macro with all aggregates: where each lies, its own type and that of its events. This is the only list of them.
macro_rules! each_aggregate {
    ($then:ident $(, $argument:ident)*) => {
        $then! {
            [$($argument)*]
            /// Of a project.
            project::Project, ProjectEvent;
            /// Of a project's membership.
            membership::Membership, MembershipEvent;
            /// Of a job.
            job::Job, JobEvent;
            /// Of a key of jobs.
            job_key::JobKey, JobKeyEvent;
            /// Of a rule for jobs.
            job_rule::JobRule, JobRuleEvent;
            /// Of a schedule.
            schedule::Schedule, ScheduleEvent;
            /// Of an account.
            account::Account, AccountEvent;
            /// Of a task.
            task::Task, TaskEvent;
            /// Of a comment.
            comment::Comment, CommentEvent;
            /// Of an organization.
            organization::Organization, OrganizationEvent;
            /// Of an organization's projects.
            organization_projects::OrganizationProjects, OrganizationProjectsEvent;
            /// Of an organization's slug.
            organization_slug::OrganizationSlug, OrganizationSlugEvent;
            /// Of a workspace and the tree of its files.
            workspace::Workspace, WorkspaceEvent;
            /// Of what is in a file.
            file::File, FileEvent;
            /// Of an invitation.
            invitation::Invitation, InvitationEvent;
            /// Of a webhook.
            webhook::Webhook, WebhookEvent;
            /// Of who was handed a history.
            audit_trail::AuditTrail, AuditTrailEvent;
        }
    };
}

pub mod access;
pub mod account;
pub mod actor;
mod aggregate;
pub mod audit_trail;
pub mod change;
pub mod comment;
pub mod event;
mod fields;
pub mod file;
pub mod ids;
pub mod invitation;
pub mod job;
pub mod job_key;
pub mod job_rule;
pub mod membership;
pub mod metadata;
pub mod organization;
pub mod organization_projects;
pub mod organization_slug;
pub mod project;
pub mod redaction;
pub mod refusal;
pub mod schedule;
#[cfg(feature = "openapi")]
pub mod schema;
pub mod task;
pub mod text;
pub mod timestamp;
pub mod upcast;
pub mod webhook;
pub mod workspace;

pub use aggregate::Decide;
