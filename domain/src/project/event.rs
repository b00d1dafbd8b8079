//! What can have happened to a project.

use serde::{Deserialize, Serialize};

use super::fields::{EditPolicy, Priority, ProjectFields, ProjectStatus, Schedule};
use crate::{
    change::changes,
    event::domain_event,
    ids::{AccountId, OrganizationId},
    text::{Name, Prose},
};

/// What can have happened to a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum ProjectEvent {
    /// The project was founded.
    ProjectCreated {
        /// The organization it lives in.
        organization_id: OrganizationId,
        /// Its fields.
        #[serde(flatten)]
        fields: ProjectFields,
    },
    /// At least one field changed.
    ProjectUpdated {
        /// Each changed field, from and to.
        changes: ProjectChanges,
    },
    /// The project was deleted; nothing follows.
    ProjectDeleted {},
}

domain_event!(ProjectEvent { ProjectCreated => "1", ProjectUpdated => "1", ProjectDeleted => "1" });

changes! {
    /// The changed fields of a project.
    pub struct ProjectChanges {
        /// Of the name.
        pub name: Name,
        /// Of the description.
        pub description: Prose,
        /// Of the visibility.
        pub is_public: bool,
        /// Of the status.
        pub status: ProjectStatus,
        /// Of the priority.
        pub priority: Priority,
        /// Of the dates, which change together because they bound each other.
        pub schedule: Schedule,
        /// Of the lead.
        pub team_lead: Option<AccountId>,
        /// Of the policy.
        pub edit_policy: EditPolicy,
        /// Of whether the lead may add members.
        pub lead_can_add_members: bool,
    }
}
