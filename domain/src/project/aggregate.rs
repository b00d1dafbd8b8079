//! The state of a project, and its two functions.

use serde::{Deserialize, Serialize};

use super::{ProjectChanges, ProjectCommand, ProjectEvent, ProjectFields, ProjectPatch, ProjectRefusal, fields};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    ids::{AccountId, OrganizationId},
    redaction::{PayloadRedacted, Texts, redactable},
    text::{Name, Prose},
};

/// The state of a project, computed from its events. A deleted project is never created again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Project {
    /// Not created yet.
    #[default]
    Absent,
    /// The project exists and can be changed.
    Active {
        /// The organization it lives in.
        organization_id: OrganizationId,
        /// The values that its fields have after the latest event.
        fields: ProjectFields,
    },
    /// The project was deleted, and no other project can have its id.
    Deleted {
        /// The organization that it lived in.
        organization_id: OrganizationId,
        /// Whether somebody ordered that its history is redacted.
        purge_ordered: bool,
    },
}

impl Project {
    /// The organization and fields of a living project.
    ///
    /// # Errors
    /// [`ProjectRefusal::Absent`] before it is created and after it is deleted.
    pub fn active(&self) -> Result<(OrganizationId, &ProjectFields), ProjectRefusal> {
        match self {
            Self::Active { organization_id, fields } => Ok((*organization_id, fields)),
            Self::Absent | Self::Deleted { .. } => Err(ProjectRefusal::Absent),
        }
    }

    fn tell_texts(&self, texts: &mut Texts) {
        if let Self::Active { fields, .. } = self {
            texts.add("name", fields.name.as_str());
            texts.add("description", fields.description.as_str());
        }
    }

    /// Whether an account leads it and may add members as the lead.
    pub fn lead_adds_members(&self, account_id: AccountId) -> bool {
        self.active().is_ok_and(|(_, fields)| fields.lead_can_add_members && fields.team_lead == Some(account_id))
    }
}

impl ProjectFields {
    /// Whether a change from `before` settled who adds members: that the lead may, or who leads where the lead may. It takes the
    /// right to manage members. That nobody leads any more gives nobody a right.
    pub fn settles_who_adds_members(&self, before: &Self) -> bool {
        let gives = self.lead_can_add_members && self.team_lead.is_some() && self.team_lead != before.team_lead;
        gives || self.lead_can_add_members != before.lead_can_add_members
    }

    fn redact(&mut self, redacted: &PayloadRedacted) {
        if redacted.has("name") {
            self.name = Name::redacted();
        }
        if redacted.has("description") {
            self.description = Prose::redacted();
        }
    }

    /// What a patch changes, if the dates stay in order.
    fn checked_changes(&self, patch: ProjectPatch) -> Result<ProjectChanges, ProjectRefusal> {
        let changes = self.changes(patch);
        let schedule = changes.schedule.as_ref().map_or(self.schedule, |change| change.to);
        if schedule.is_ordered() { Ok(changes) } else { Err(ProjectRefusal::EndBeforeStart) }
    }
}

impl Decide for Project {
    const TYPE: &'static str = "project";
    const SHAPE: u32 = fields::SHAPE;
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
                let changes = fields.checked_changes(patch)?;
                Ok(if changes.is_empty() { vec![] } else { vec![ProjectEvent::ProjectUpdated { changes }] })
            }
            (ProjectCommand::Delete, Self::Active { .. }) => Ok(vec![ProjectEvent::ProjectDeleted {}]),
            (ProjectCommand::OrderPurge { .. }, Self::Deleted { purge_ordered: true, .. }) => Ok(vec![]),
            (ProjectCommand::OrderPurge { reason }, Self::Deleted { .. }) => {
                Ok(vec![ProjectEvent::ProjectPurgeOrdered { reason }])
            }
            (ProjectCommand::OrderPurge { .. }, Self::Active { .. }) => Err(ProjectRefusal::NotDeleted),
            (ProjectCommand::Update(_) | ProjectCommand::Delete | ProjectCommand::OrderPurge { .. }, _) => {
                Err(ProjectRefusal::Absent)
            }
        }
    }

    fn evolve(&mut self, event: &ProjectEvent) {
        match (event, &mut *self) {
            (ProjectEvent::ProjectCreated { organization_id, fields }, _) => {
                *self = Self::Active { organization_id: *organization_id, fields: fields.clone() };
            }
            (ProjectEvent::ProjectUpdated { changes }, Self::Active { fields, .. }) => fields.apply(changes),
            (ProjectEvent::ProjectDeleted {}, Self::Active { organization_id, .. }) => {
                *self = Self::Deleted { organization_id: *organization_id, purge_ordered: false };
            }
            (ProjectEvent::PayloadRedacted(redacted), Self::Active { fields, .. }) => fields.redact(redacted),
            (ProjectEvent::ProjectPurgeOrdered { .. }, Self::Deleted { purge_ordered, .. }) => *purge_ordered = true,
            (
                ProjectEvent::ProjectUpdated { .. }
                | ProjectEvent::ProjectDeleted {}
                | ProjectEvent::PayloadRedacted(_)
                | ProjectEvent::ProjectPurgeOrdered { .. },
                _,
            ) => {}
        }
    }

    fn weight(&self) -> usize {
        self.active().map_or(0, |(_, fields)| fields.name.as_str().len() + fields.description.as_str().len())
    }
}

cqrs_aggregate!(Project);
redactable!(Project, ProjectEvent, ends: ProjectEvent::ProjectDeleted {});
