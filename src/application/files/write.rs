//! Write all of a file anew.

use uuid::Uuid;
use workroom_domain::file::{Content, FileCommand};

use super::{ChangedFile, FilePlace};
use crate::application::{Command, Error, IfVersion, Unit};

/// Write all of a file anew.
#[derive(Clone, Debug)]
pub struct WriteFile {
    /// The file whose content is replaced; its path stays.
    pub place: FilePlace,
    /// What is in it from now on.
    pub content: Content,
    /// The version that the change is meant for, if the caller named one.
    pub if_version: IfVersion,
}

impl Command for WriteFile {
    type Reply = ChangedFile;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.place.file_id.into())
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<ChangedFile, Error> {
        let (workspace, file) = self.place.open(unit, &self.if_version).await?;
        let FilePlace { project_id, workspace_id, .. } = self.place;
        let written = unit.decide(&file, FileCommand::Write { project_id, workspace_id, content: self.content })?;
        ChangedFile::of(self.place, &workspace, &written, written.sequence != file.sequence)
    }
}
