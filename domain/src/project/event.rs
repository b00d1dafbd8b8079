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

    /// Whether the changes settle who adds members: that the lead may, or who leads where the lead may. It takes the right to
    /// manage members. That nobody leads any more gives nobody a right.
    pub fn settle_who_adds_members(&self, before: &ProjectFields) -> bool {
        let lead_may = self.lead_can_add_members.as_ref().map_or(before.lead_can_add_members, |change| change.to);
        let has_lead = self.team_lead.as_ref().is_some_and(|lead| lead.to.is_some());
        self.lead_can_add_members.is_some() || (lead_may && has_lead)
    }
}
