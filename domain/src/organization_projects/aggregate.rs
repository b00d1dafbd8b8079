//! The state of an organization's projects, and its two functions.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OrganizationProjectsEvent;
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    ids::{OrganizationId, ProjectId},
};

/// An organization's projects, as far as its deletion has to wait for them: which was created last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationProjects {
    last: Option<ProjectId>,
}

/// What may be asked of an organization's projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationProjectsCommand {
    /// Record that a project is created in the organization.
    Add {
        /// The organization that the project is created in. Its id is also the aggregate's id.
        organization_id: OrganizationId,
        /// The project that is created. The event belongs to its feed.
        project_id: ProjectId,
    },
}

impl Decide for OrganizationProjects {
    const TYPE: &'static str = "organization_projects";
    const SHAPE: u32 = 1;
    type Command = OrganizationProjectsCommand;
    type Event = OrganizationProjectsEvent;
    type Refusal = Infallible;

    fn decide(&self, command: OrganizationProjectsCommand) -> Result<Vec<OrganizationProjectsEvent>, Infallible> {
        let OrganizationProjectsCommand::Add { organization_id, project_id } = command;
        Ok(vec![OrganizationProjectsEvent::ProjectAddedToOrganization { organization_id, project_id }])
    }

    fn evolve(&mut self, event: &OrganizationProjectsEvent) {
        let OrganizationProjectsEvent::ProjectAddedToOrganization { project_id, .. } = event;
        self.last = Some(*project_id);
    }

    fn feed(&self, id: Uuid) -> Uuid {
        self.last.map_or(id, Into::into)
    }
}

cqrs_aggregate!(OrganizationProjects);
