//! The state of a workspace, and its two functions.

use std::{collections::BTreeMap, ops::Bound};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{FilePath, WorkspaceChanges, WorkspaceCommand, WorkspaceEvent, WorkspaceRefusal};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    change::{Change, apply},
    ids::{FileId, ProjectId},
    redaction::{PayloadRedacted, Texts, redactable},
    text::{Name, Prose},
};

/// The state of a workspace, computed from its events. A closed workspace is never opened again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Workspace {
    /// Not opened yet.
    #[default]
    Absent,
    /// The workspace is open and can be changed.
    Present(WorkspaceState),
    /// The workspace was closed with all its files, and no other workspace can have its id.
    Deleted {
        /// The project it belonged to.
        project_id: ProjectId,
    },
}

/// What is known of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceState {
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// What it is called.
    pub name: Name,
    /// What it is for.
    pub description: Prose,
    files: BTreeMap<FilePath, WorkspaceFile>,
}

/// A file as its workspace knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceFile {
    /// The id of the file, and of the aggregate that tracks the file's content.
    pub file_id: FileId,
    /// How often it was put somewhere.
    pub placed: i64,
}

impl Workspace {
    /// Most files in a workspace. Its state is read whole for each change of its tree.
    pub const FILE_LIMIT: usize = 10_000;

    /// What is known of a workspace of that project.
    ///
    /// # Errors
    /// [`WorkspaceRefusal::Absent`] before it is opened, after it is closed, and for another project's workspace.
    pub fn of(&self, project: ProjectId) -> Result<&WorkspaceState, WorkspaceRefusal> {
        match self {
            Self::Present(state) if state.project_id == project => Ok(state),
            Self::Absent | Self::Present(_) | Self::Deleted { .. } => Err(WorkspaceRefusal::Absent),
        }
    }

    fn tell_texts(&self, texts: &mut Texts) {
        if let Self::Present(state) = self {
            texts.add("name", state.name.as_str());
            texts.add("description", state.description.as_str());
            for (path, file) in &state.files {
                texts.add(format!("{FILES}{}", file.file_id.uuid()), path.as_str());
            }
        }
    }
}

/// How a redaction names the path of a file: by the file's id behind this.
const FILES: &str = "files/";

/// The file whose path a redaction names.
pub fn redacted_file(field: &str) -> Option<FileId> {
    field.strip_prefix(FILES).and_then(|id| Uuid::try_parse(id).ok()).map(FileId)
}

impl WorkspaceState {
    /// A file in it, and where it lies.
    ///
    /// # Errors
    /// [`WorkspaceRefusal::NoSuchFile`].
    pub fn file(&self, file_id: FileId) -> Result<(&FilePath, WorkspaceFile), WorkspaceRefusal> {
        let mut files = self.files.iter();
        let found = files.find(|(_, file)| file.file_id == file_id);
        found.map(|(path, file)| (path, *file)).ok_or(WorkspaceRefusal::NoSuchFile)
    }

    /// The files in it, and where they lie, by path.
    pub fn files(&self) -> impl Iterator<Item = (&FilePath, WorkspaceFile)> {
        self.files.iter().map(|(path, file)| (path, *file))
    }

    /// How many files lie in it.
    pub fn file_count(&self) -> usize {
        self.files.len()
    }

    /// Whether a file may lie there, seen without `moved`, which is on its way there.
    fn check_free(&self, path: &FilePath, moved: Option<FileId>) -> Result<(), WorkspaceRefusal> {
        if path.is_placeholder() {
            return Err(WorkspaceRefusal::PathTaken(path.as_str().to_owned()));
        }
        let stays = |file: &WorkspaceFile| Some(file.file_id) != moved;
        if self.files.get(path).is_some_and(stays) {
            return Err(WorkspaceRefusal::PathTaken(path.as_str().to_owned()));
        }
        if let Some(folder) = path.folders().find(|folder| self.files.get(*folder).is_some_and(stays)) {
            return Err(WorkspaceRefusal::NotAFolder(folder.to_owned()));
        }
        let inside = format!("{}/", path.as_str());
        let from = (Bound::Included(inside.as_str()), Bound::Unbounded);
        let mut below = self.files.range::<str, _>(from).take_while(|(path, _)| path.as_str().starts_with(&inside));
        if below.any(|(_, file)| stays(file)) {
            return Err(WorkspaceRefusal::IsAFolder(path.as_str().to_owned()));
        }
        Ok(())
    }

    fn decide(&self, command: WorkspaceCommand) -> Result<Vec<WorkspaceEvent>, WorkspaceRefusal> {
        match command {
            WorkspaceCommand::Create { .. } => Err(WorkspaceRefusal::AlreadyExists),
            WorkspaceCommand::Update(patch) => {
                let changes = WorkspaceChanges {
                    name: Change::between(&self.name, patch.name),
                    description: Change::between(&self.description, patch.description),
                };
                Ok(if changes.is_empty() { vec![] } else { vec![WorkspaceEvent::WorkspaceUpdated { changes }] })
            }
            WorkspaceCommand::Delete => Ok(vec![WorkspaceEvent::WorkspaceDeleted {}]),
            WorkspaceCommand::CreateFile { file_id, path } => {
                self.check_free(&path, None)?;
                if self.files.len() >= Workspace::FILE_LIMIT {
                    return Err(WorkspaceRefusal::Full { limit: Workspace::FILE_LIMIT });
                }
                Ok(vec![WorkspaceEvent::FileCreated { file_id, path }])
            }
            WorkspaceCommand::MoveFile { file_id, path } => {
                let (from, _) = self.file(file_id)?;
                if *from == path {
                    return Ok(vec![]);
                }
                self.check_free(&path, Some(file_id))?;
                Ok(vec![WorkspaceEvent::FileMoved { file_id, path: Change { from: from.clone(), to: path } }])
            }
            WorkspaceCommand::DeleteFile { file_id } => {
                let (path, _) = self.file(file_id)?;
                Ok(vec![WorkspaceEvent::FileDeleted { file_id, path: path.clone() }])
            }
        }
    }

    /// Takes a file away from a path, or from wherever it lies: what either event said of its path may have been redacted.
    fn take(&mut self, file_id: FileId, path: &FilePath) -> Option<WorkspaceFile> {
        if self.files.get(path).is_some_and(|file| file.file_id == file_id) {
            return self.files.remove(path);
        }
        let path = self.file(file_id).ok()?.0.clone();
        self.files.remove(&path)
    }

    fn redact(&mut self, redacted: &PayloadRedacted) {
        if redacted.has("name") {
            self.name = Name::redacted();
        }
        if redacted.has("description") {
            self.description = Prose::redacted();
        }
        for file_id in redacted.fields.iter().filter_map(|field| redacted_file(field)) {
            let path = FilePath::redacted(redacted.position);
            if let Some(file) = self.take(file_id, &path) {
                self.files.insert(path, WorkspaceFile { placed: file.placed + 1, ..file });
            }
        }
    }

    fn evolve(&mut self, event: &WorkspaceEvent) {
        match event {
            WorkspaceEvent::WorkspaceUpdated { changes } => {
                apply(&mut self.name, changes.name.as_ref());
                apply(&mut self.description, changes.description.as_ref());
            }
            WorkspaceEvent::FileCreated { file_id, path } => {
                self.files.insert(path.clone(), WorkspaceFile { file_id: *file_id, placed: 1 });
            }
            WorkspaceEvent::FileMoved { file_id, path } => {
                if let Some(file) = self.take(*file_id, &path.from) {
                    self.files.insert(path.to.clone(), WorkspaceFile { placed: file.placed + 1, ..file });
                }
            }
            WorkspaceEvent::FileDeleted { file_id, path } => drop(self.take(*file_id, path)),
            WorkspaceEvent::PayloadRedacted(redacted) => self.redact(redacted),
            WorkspaceEvent::WorkspaceCreated { .. } | WorkspaceEvent::WorkspaceDeleted {} => {}
        }
    }
}

impl Decide for Workspace {
    const TYPE: &'static str = "workspace";
    const SHAPE: u32 = 1;
    type Command = WorkspaceCommand;
    type Event = WorkspaceEvent;
    type Refusal = WorkspaceRefusal;

    fn decide(&self, command: WorkspaceCommand) -> Result<Vec<WorkspaceEvent>, WorkspaceRefusal> {
        match (self, command) {
            (Self::Absent, WorkspaceCommand::Create { project_id, name, description }) => {
                Ok(vec![WorkspaceEvent::WorkspaceCreated { project_id, name, description }])
            }
            (Self::Deleted { .. }, WorkspaceCommand::Create { .. }) => Err(WorkspaceRefusal::AlreadyExists),
            (Self::Present(state), command) => state.decide(command),
            (Self::Absent | Self::Deleted { .. }, _) => Err(WorkspaceRefusal::Absent),
        }
    }

    fn evolve(&mut self, event: &WorkspaceEvent) {
        match (event, &mut *self) {
            (WorkspaceEvent::WorkspaceCreated { project_id, name, description }, _) => {
                *self = Self::Present(WorkspaceState {
                    project_id: *project_id,
                    name: name.clone(),
                    description: description.clone(),
                    files: BTreeMap::new(),
                });
            }
            (WorkspaceEvent::WorkspaceDeleted {}, Self::Present(state)) => {
                *self = Self::Deleted { project_id: state.project_id };
            }
            (event, Self::Present(state)) => state.evolve(event),
            (_, Self::Absent | Self::Deleted { .. }) => {}
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        match self {
            Self::Absent => id,
            Self::Present(state) => state.project_id.0,
            Self::Deleted { project_id } => project_id.0,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Present(state) => {
                let paths: usize = state.files.keys().map(|path| path.as_str().len() + 80).sum();
                state.description.as_str().len() + paths
            }
            Self::Absent | Self::Deleted { .. } => 0,
        }
    }
}

cqrs_aggregate!(Workspace);
redactable!(Workspace, WorkspaceEvent);
