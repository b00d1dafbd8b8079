//! What can have happened to a project.

use serde::{Deserialize, Serialize};

use super::fields::{ProjectChanges, ProjectFields};
use crate::{event::domain_event, ids::OrganizationId, redaction::PayloadRedacted, text::Name};

/// What can have happened to a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum ProjectEvent {
    /// The project was created.
    ProjectCreated {
        /// The organization it lives in.
        organization_id: OrganizationId,
        /// The values of all fields of the new project, which stand beside `type` in the event.
        #[serde(flatten)]
        fields: ProjectFields,
    },
    /// At least one field changed.
    ProjectUpdated {
        /// Each changed field, from and to.
        changes: ProjectChanges,
    },
    /// The project was deleted; what follows is redaction alone.
    ProjectDeleted {},
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
    /// Somebody ordered that everything in the history of the deleted project is redacted. The service carries it out.
    ProjectPurgeOrdered {
        /// Why. It stays in the log for ever, so it must not repeat what is redacted.
        reason: Name,
    },
}

domain_event!(ProjectEvent {
    ProjectCreated => "1",
    ProjectUpdated => "1",
    ProjectDeleted => "1",
    PayloadRedacted => "1",
    ProjectPurgeOrdered => "1",
});
