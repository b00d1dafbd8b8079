//! Note that a project is read as it was.

use uuid::Uuid;
use workroom_domain::{
    audit_trail::{AuditTrail, AuditTrailCommand},
    ids::ProjectId,
};

use super::authorize_in_project;
use crate::application::{Command, Error, Unit};

/// Note that a project is read as it was at one moment. It asks for the right to do so.
#[derive(Clone, Copy, Debug)]
pub struct RecordStateRead {
    /// The project that is read; a deleted one has its history, too.
    pub project_id: ProjectId,
    /// The place in its feed that it is read at.
    pub as_of: i64,
}

impl Command for RecordStateRead {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.project_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        authorize_in_project(unit, self.project_id).await?;
        let trail = unit.read::<AuditTrail>(self.project_id).await?;
        unit.decide(&trail, AuditTrailCommand::RecordStateRead { as_of: self.as_of })?;
        Ok(())
    }
}
