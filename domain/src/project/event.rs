//! What can have happened to a project.

use serde::{Deserialize, Serialize};

use super::fields::{EditPolicy, Priority, ProjectFields, ProjectStatus, Schedule};
use crate::{
    change::Change,
    event::domain_event,
    ids::{AccountId, OrganizationId},
    text::{Name, Prose},
};

/// What can have happened to a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// The changed fields of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectChanges {
    /// Of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Change<Name>>,
    /// Of the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Change<Prose>>,
    /// Of the visibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_public: Option<Change<bool>>,
    /// Of the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Change<ProjectStatus>>,
    /// Of the priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Change<Priority>>,
    /// Of the dates, which change together because they bound each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Change<Schedule>>,
    /// Of the lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_lead: Option<Change<Option<AccountId>>>,
    /// Of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit_policy: Option<Change<EditPolicy>>,
    /// Of whether the lead may add members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_can_add_members: Option<Change<bool>>,
}

impl ProjectChanges {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
