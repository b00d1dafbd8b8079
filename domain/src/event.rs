//! Every event of every aggregate in one enum, for those who read the whole log.

use cqrs_es::DomainEvent;

use crate::{
    Decide,
    account::{Account, AccountEvent},
    comment::{Comment, CommentEvent},
    file::{File, FileEvent},
    invitation::{Invitation, InvitationEvent},
    job::{Job, JobEvent},
    membership::{Membership, MembershipEvent},
    organization::{Organization, OrganizationEvent},
    organization_projects::{OrganizationProjects, OrganizationProjectsEvent},
    organization_slug::{OrganizationSlug, OrganizationSlugEvent},
    project::{Project, ProjectEvent},
    task::{Task, TaskEvent},
    workspace::{Workspace, WorkspaceEvent},
};

/// An event of any aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum DomainEventKind {
    /// Of a project.
    Project(ProjectEvent),
    /// Of a project's membership.
    Membership(MembershipEvent),
    /// Of a job.
    Job(JobEvent),
    /// Of an account.
    Account(AccountEvent),
    /// Of a task.
    Task(TaskEvent),
    /// Of a comment.
    Comment(CommentEvent),
    /// Of an organization.
    Organization(OrganizationEvent),
    /// Of an organization's projects.
    OrganizationProjects(OrganizationProjectsEvent),
    /// Of an organization's slug.
    OrganizationSlug(OrganizationSlugEvent),
    /// Of a workspace and the tree of its files.
    Workspace(WorkspaceEvent),
    /// Of what is in a file.
    File(FileEvent),
    /// Of an invitation.
    Invitation(InvitationEvent),
}

/// The stored event is not one that this version of the service knows.
#[derive(Debug, thiserror::Error)]
pub enum UndecodableEvent {
    /// The aggregate type is unknown.
    #[error("unknown aggregate type `{0}`")]
    AggregateType(String),
    /// The payload does not fit the event's type.
    #[error("the payload of a `{aggregate_type}` event does not fit its type")]
    Payload {
        /// The aggregate's type.
        aggregate_type: String,
        /// What serde found.
        source: serde_json::Error,
    },
}

impl DomainEventKind {
    /// Reads a stored (and upcast) payload.
    ///
    /// # Errors
    /// An unknown aggregate type or a payload that does not fit.
    pub fn decode(aggregate_type: &str, payload: &str) -> Result<Self, UndecodableEvent> {
        let decoded = match aggregate_type {
            Project::TYPE => serde_json::from_str(payload).map(Self::Project),
            Membership::TYPE => serde_json::from_str(payload).map(Self::Membership),
            Job::TYPE => serde_json::from_str(payload).map(Self::Job),
            Account::TYPE => serde_json::from_str(payload).map(Self::Account),
            Task::TYPE => serde_json::from_str(payload).map(Self::Task),
            Comment::TYPE => serde_json::from_str(payload).map(Self::Comment),
            Organization::TYPE => serde_json::from_str(payload).map(Self::Organization),
            OrganizationProjects::TYPE => serde_json::from_str(payload).map(Self::OrganizationProjects),
            OrganizationSlug::TYPE => serde_json::from_str(payload).map(Self::OrganizationSlug),
            Workspace::TYPE => serde_json::from_str(payload).map(Self::Workspace),
            File::TYPE => serde_json::from_str(payload).map(Self::File),
            Invitation::TYPE => serde_json::from_str(payload).map(Self::Invitation),
            other => return Err(UndecodableEvent::AggregateType(other.to_owned())),
        };
        decoded.map_err(|source| UndecodableEvent::Payload { aggregate_type: aggregate_type.to_owned(), source })
    }

    /// The event's name, as in the log's `event_type`.
    pub fn event_type(&self) -> String {
        match self {
            Self::Project(event) => event.event_type(),
            Self::Membership(event) => event.event_type(),
            Self::Job(event) => event.event_type(),
            Self::Account(event) => event.event_type(),
            Self::Task(event) => event.event_type(),
            Self::Comment(event) => event.event_type(),
            Self::Organization(event) => event.event_type(),
            Self::OrganizationProjects(event) => event.event_type(),
            Self::OrganizationSlug(event) => event.event_type(),
            Self::Workspace(event) => event.event_type(),
            Self::File(event) => event.event_type(),
            Self::Invitation(event) => event.event_type(),
        }
    }
}

/// Implements `cqrs_es::DomainEvent`: the name of each variant and the version of its stored form. Raise a version,
/// and write an upcaster beside the event, whenever the stored JSON of a variant changes its meaning.
macro_rules! domain_event {
    ($event:ident { $($variant:ident => $version:literal),+ $(,)? }) => {
        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                match self { $(Self::$variant { .. } => stringify!($variant)),+ }.to_owned()
            }

            fn event_version(&self) -> String {
                match self { $(Self::$variant { .. } => $version),+ }.to_owned()
            }
        }

        #[cfg(feature = "openapi")]
        impl $crate::schema::EventTypes for $event {
            const EVENT_TYPES: &'static [&'static str] = &[$(stringify!($variant)),+];
        }
    };
}
pub(crate) use domain_event;
