//! What may be asked of a project.

use super::fields::{ProjectFields, ProjectPatch};
use crate::ids::OrganizationId;

/// What may be asked of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectCommand {
    /// Create the project.
    Create {
        /// The organization it lives in.
        organization_id: OrganizationId,
        /// The values of all fields of the new project.
        fields: ProjectFields,
    },
    /// Change the given fields and leave the others.
    Update(ProjectPatch),
    /// Hide the project for good; its history stays.
    Delete,
}
