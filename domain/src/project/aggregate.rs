//! The state of a project, and its two functions.

use serde::{Deserialize, Serialize};

use super::{ProjectChanges, ProjectCommand, ProjectEvent, ProjectFields, ProjectPatch, ProjectRefusal, Schedule};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    change::{Change, apply},
    ids::{AccountId, OrganizationId},
};

/// A project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Project {
    /// Not founded yet.
    #[default]
    Absent,
    /// Alive.
    Active {
        /// The organization it lives in.
        organization_id: OrganizationId,
        /// Its fields.
        fields: ProjectFields,
    },
    /// Deleted.
    Deleted {
        /// The organization that it lived in.
        organization_id: OrganizationId,
    },
}

impl Project {
    /// The organization and fields of a living project.
    ///
    /// # Errors
    /// [`ProjectRefusal::Absent`] before it is founded and after it is deleted.
    pub fn active(&self) -> Result<(OrganizationId, &ProjectFields), ProjectRefusal> {
        match self {
            Self::Active { organization_id, fields } => Ok((*organization_id, fields)),
            Self::Absent | Self::Deleted { .. } => Err(ProjectRefusal::Absent),
        }
    }

    /// Whether an account leads it and may add members as the lead.
    pub fn lead_adds_members(&self, account_id: AccountId) -> bool {
        self.active().is_ok_and(|(_, fields)| fields.lead_can_add_members && fields.team_lead == Some(account_id))
    }

    fn changes(current: &ProjectFields, patch: ProjectPatch) -> Result<ProjectChanges, ProjectRefusal> {
        let schedule = Schedule {
            start_date: patch.start_date.unwrap_or(current.schedule.start_date),
            end_date: patch.end_date.unwrap_or(current.schedule.end_date),
        };
        if !schedule.is_ordered() {
            return Err(ProjectRefusal::EndBeforeStart);
        }
        Ok(ProjectChanges {
            name: Change::between(&current.name, patch.name),
            description: Change::between(&current.description, patch.description),
            is_public: Change::between(&current.is_public, patch.is_public),
            status: Change::between(&current.status, patch.status),
            priority: Change::between(&current.priority, patch.priority),
            schedule: Change::between(&current.schedule, Some(schedule)),
            team_lead: Change::between(&current.team_lead, patch.team_lead),
            edit_policy: Change::between(&current.edit_policy, patch.edit_policy),
            lead_can_add_members: Change::between(&current.lead_can_add_members, patch.lead_can_add_members),
        })
    }
}

impl ProjectFields {
    /// Whether a change from `before` settled who adds members: that the lead may, or who leads where the lead may. It takes the
    /// right to manage members. That nobody leads any more gives nobody a right.
    pub fn settles_who_adds_members(&self, before: &Self) -> bool {
        let gives = self.lead_can_add_members && self.team_lead.is_some() && self.team_lead != before.team_lead;
        gives || self.lead_can_add_members != before.lead_can_add_members
    }

    /// Folds changes into the fields.
    pub fn apply(&mut self, changes: &ProjectChanges) {
        apply(&mut self.name, changes.name.as_ref());
        apply(&mut self.description, changes.description.as_ref());
        apply(&mut self.is_public, changes.is_public.as_ref());
        apply(&mut self.status, changes.status.as_ref());
        apply(&mut self.priority, changes.priority.as_ref());
        apply(&mut self.schedule, changes.schedule.as_ref());
        apply(&mut self.team_lead, changes.team_lead.as_ref());
        apply(&mut self.edit_policy, changes.edit_policy.as_ref());
        apply(&mut self.lead_can_add_members, changes.lead_can_add_members.as_ref());
    }
}

impl Decide for Project {
    const TYPE: &'static str = "project";
    const SHAPE: u32 = 2;
    type Command = ProjectCommand;
    type Event = ProjectEvent;
    type Refusal = ProjectRefusal;

    fn decide(&self, command: ProjectCommand) -> Result<Vec<ProjectEvent>, ProjectRefusal> {
        match (command, self) {
            (ProjectCommand::Create { organization_id, fields }, Self::Absent) => {
                if !fields.schedule.is_ordered() {
                    return Err(ProjectRefusal::EndBeforeStart);
                }
                Ok(vec![ProjectEvent::ProjectCreated { organization_id, fields }])
            }
            (ProjectCommand::Create { .. }, _) => Err(ProjectRefusal::AlreadyExists),
            (ProjectCommand::Update(patch), Self::Active { fields, .. }) => {
                let changes = Self::changes(fields, patch)?;
                Ok(if changes.is_empty() { vec![] } else { vec![ProjectEvent::ProjectUpdated { changes }] })
            }
            (ProjectCommand::Delete, Self::Active { .. }) => Ok(vec![ProjectEvent::ProjectDeleted {}]),
            (ProjectCommand::Update(_) | ProjectCommand::Delete, _) => Err(ProjectRefusal::Absent),
        }
    }

    fn evolve(&mut self, event: &ProjectEvent) {
        match (event, &mut *self) {
            (ProjectEvent::ProjectCreated { organization_id, fields }, _) => {
                *self = Self::Active { organization_id: *organization_id, fields: fields.clone() };
            }
            (ProjectEvent::ProjectUpdated { changes }, Self::Active { fields, .. }) => fields.apply(changes),
            (ProjectEvent::ProjectDeleted {}, Self::Active { organization_id, .. }) => {
                *self = Self::Deleted { organization_id: *organization_id };
            }
            (ProjectEvent::ProjectUpdated { .. } | ProjectEvent::ProjectDeleted {}, _) => {}
        }
    }

    fn weight(&self) -> usize {
        self.active().map_or(0, |(_, fields)| fields.name.as_str().len() + fields.description.as_str().len())
    }
}

cqrs_aggregate!(Project);
