//! What can have happened to an organization's projects.

use serde::{Deserialize, Serialize};

use crate::{
    event::domain_event,
    ids::{OrganizationId, ProjectId},
};

/// What can have happened to an organization's projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum OrganizationProjectsEvent {
    /// A project was created in the organization.
    ProjectAddedToOrganization {
        /// The id of the organization that the project was created in.
        organization_id: OrganizationId,
        /// The id of the new project.
        project_id: ProjectId,
    },
}

domain_event!(OrganizationProjectsEvent { ProjectAddedToOrganization => "1" });
