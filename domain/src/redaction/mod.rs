//! Redaction: what a stored event said is taken out of the log, and the event stays.
//!
//! The payload is replaced by its [`tombstone()`]: the same JSON in the same version, with a placeholder for every text that
//! somebody wrote. It decodes, climbs its upcasters and folds as before. An event [`PayloadRedacted`] in the stream of the same
//! aggregate says so: who, why, which event, and what remains, never what it said. It names the [`fields`](PayloadRedacted::fields)
//! that the aggregate has from the redacted event at that moment ([`Origins`]); whoever has folded the event as it was (a cache,
//! a view, a client) sets exactly these to their placeholders, and has what a replay of the tombstones gives.
//!
//! A new event needs a row in `table.rs`: either its texts, or that it has none. An aggregate whose events have texts is
//! [`Redactable`], and has an event `PayloadRedacted`.

mod affected;
mod event;
mod placeholder;
pub mod refusal;
mod table;
mod tombstone;

pub(crate) use affected::redactable;
pub use affected::{Origins, Redactable, Texts};
pub use event::PayloadRedacted;
pub use placeholder::{ADDRESS, DIGEST, PLACEHOLDER, Placeholder};
pub use refusal::RedactionRefusal;
pub use table::{TEXTS, WITHOUT_TEXTS};
pub use tombstone::{UnreadablePayload, marked, tombstone};

use crate::{
    comment::CommentEvent, event::DomainEventKind, file::FileEvent, job::JobEvent, job_rule::JobRuleEvent,
    organization::OrganizationEvent, organization_slug::OrganizationSlugEvent, project::ProjectEvent,
    schedule::ScheduleEvent, task::TaskEvent, workspace::WorkspaceEvent,
};

/// The name of the event, of whatever aggregate.
pub const PAYLOAD_REDACTED: &str = "PayloadRedacted";

impl DomainEventKind {
    /// What it says of another event, if it is a [`PayloadRedacted`].
    pub fn redaction(&self) -> Option<&PayloadRedacted> {
        match self {
            Self::Project(ProjectEvent::PayloadRedacted(redacted))
            | Self::Job(JobEvent::PayloadRedacted(redacted))
            | Self::JobRule(JobRuleEvent::PayloadRedacted(redacted))
            | Self::Schedule(ScheduleEvent::PayloadRedacted(redacted))
            | Self::Task(TaskEvent::PayloadRedacted(redacted))
            | Self::Comment(CommentEvent::PayloadRedacted(redacted))
            | Self::Organization(OrganizationEvent::PayloadRedacted(redacted))
            | Self::OrganizationSlug(OrganizationSlugEvent::PayloadRedacted(redacted))
            | Self::Workspace(WorkspaceEvent::PayloadRedacted(redacted))
            | Self::File(FileEvent::PayloadRedacted(redacted)) => Some(redacted.as_ref()),
            _ => None,
        }
    }
}
