//! What may be asked of a project.

use time::Date;

use super::fields::{EditPolicy, Priority, ProjectFields, ProjectStatus};
use crate::{
    ids::{AccountId, OrganizationId},
    text::{Name, Prose},
};

/// What may be asked of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectCommand {
    /// Found the project.
    Create {
        /// The organization it lives in.
        organization_id: OrganizationId,
        /// Its fields.
        fields: ProjectFields,
    },
    /// Change the given fields and leave the others.
    Update(ProjectPatch),
    /// Hide the project for good; its history stays.
    Delete,
}

/// The fields to change; `None` leaves one as it is. For dates and lead `Some(None)` clears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectPatch {
    /// New name.
    pub name: Option<Name>,
    /// New description.
    pub description: Option<Prose>,
    /// New visibility.
    pub is_public: Option<bool>,
    /// New status.
    pub status: Option<ProjectStatus>,
    /// New priority.
    pub priority: Option<Priority>,
    /// New first day.
    pub start_date: Option<Option<Date>>,
    /// New last day.
    pub end_date: Option<Option<Date>>,
    /// New lead.
    pub team_lead: Option<Option<AccountId>>,
    /// New policy.
    pub edit_policy: Option<EditPolicy>,
    /// Whether the lead may add members.
    pub lead_can_add_members: Option<bool>,
}
