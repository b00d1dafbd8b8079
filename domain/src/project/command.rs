//! What may be asked of a project.

use super::fields::{ProjectFields, ProjectPatch};
use crate::{ids::OrganizationId, text::Name};

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
    /// Order that everything in the history of the deleted project is redacted. Once is enough.
    OrderPurge {
        /// Why. It stays in the history.
        reason: Name,
    },
}
