//! Submit a job whose program is what lies in a workspace.
//!
//! The log decides what that is. The tree is the workspace's, and guards the append: if it has changed by then, all is
//! read anew. What is in the files is read for all of them in one statement, after the tree. So the program is the
//! workspace as it stood at one moment, after the request had come: each write is in it as a whole or not at all, and
//! none without those before it. The files are no guards: a workspace that is written without pause can be run, too.
//! Each run of a schedule takes them in the same way (`schedules/tick.rs`).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::Action,
    event::DomainEventKind,
    file::{Content, File, FileEvent, Sha256},
    ids::{FileId, ProjectId, WorkspaceId},
    job::{Source, Work},
    refusal::Refusal as _,
    workspace::{FilePath, Workspace, WorkspaceRefusal, WorkspaceState},
};
use workroom_projections::{
    log::{LogError, LogReader},
    workspaces,
};

use super::{CodeInput, InputFile, MAX_BYTES, MAX_FILES, StoredInput, SubmitJob, SubmittedJob};
use crate::{
    application::{
        Change, Command, Error, Refusal, TableChange, Unit,
        codes::{OUT_OF_RANGE, OVERLOADED},
        redaction::{codes::FILE_REDACTED, has_redactions},
    },
    event_store::Versioned,
};

/// Programs that a process reads and writes at a time: each takes some megabytes, however small the request.
static READING: Semaphore = Semaphore::const_new(8);
/// How long a request waits for others.
const PATIENCE: Duration = Duration::from_secs(5);

/// The program of a job, which lies in a workspace until the job is submitted.
#[derive(Clone, Debug)]
pub struct WorkspaceProgram {
    /// The workspace that it lies in.
    pub workspace_id: WorkspaceId,
    /// Which of its files is run, and what that is given; without the files.
    pub given: CodeInput,
    /// How it is refused that no file lies where the one is to lie that is run.
    pub no_entry: Refusal,
}

impl WorkspaceProgram {
    /// The workspace, and its project, which has to be the one that is meant, if one is; insists that the caller may see
    /// the files.
    async fn find(
        &self,
        unit: &mut Unit<'_>,
        meant: Option<ProjectId>,
    ) -> Result<(ProjectId, Arc<Versioned<Workspace>>), Error> {
        let absent = || Error::from(WorkspaceRefusal::Absent);
        // Committed, since what is in its files is looked up.
        let workspace = unit.read_committed::<Workspace>(self.workspace_id).await?;
        let Workspace::Present(state) = &workspace.state else { return Err(absent()) };
        let project_id = state.project_id;
        let admitted = unit.authorize(project_id, Action::ViewFiles).await;
        admitted.map_err(|error| error.or_hidden(absent))?;
        workspace.state.of(meant.unwrap_or(project_id))?;
        Ok((project_id, workspace))
    }

    /// Insists that a schedule of the project can have it: that the workspace is there, with the file that is run, and that
    /// the caller may see it. All else is seen when the schedule runs.
    ///
    /// # Errors
    /// `Kind::NotFound` for the workspace, `no_entry` for the file.
    pub(in crate::application) async fn check(
        &self,
        unit: &mut Unit<'_>,
        project_id: Option<ProjectId>,
    ) -> Result<(), Error> {
        let (project_id, workspace) = self.find(unit, project_id).await?;
        self.check_entry(workspace.state.of(project_id)?)
    }

    fn check_entry(&self, workspace: &WorkspaceState) -> Result<(), Error> {
        let is_there = workspace.files().any(|(path, _)| path.as_str() == self.given.entry);
        if is_there { Ok(()) } else { Err((self.no_entry)()) }
    }
}

/// Submit a job whose program is what lies in a workspace.
#[derive(Debug)]
pub struct SubmitWorkspaceJob {
    job: SubmitJob,
    program: WorkspaceProgram,
    /// What the last attempt has read, to be kept with its event.
    taken: Mutex<Option<Taken>>,
}

/// A program that was read. It has its place among those that are read until it is in the log, or given up.
#[derive(Debug)]
struct Taken {
    input: StoredInput,
    _reading: SemaphorePermit<'static>,
}

impl SubmitWorkspaceJob {
    /// The same job, with that program in place of its own.
    pub fn new(job: SubmitJob, program: WorkspaceProgram) -> Self {
        Self { job, program, taken: Mutex::default() }
    }

    /// The job, but for its program, and for the project, which may be known from the workspace alone.
    pub fn job(&self) -> &SubmitJob {
        &self.job
    }

    /// The job with the program as it is now; insists that the caller may see the files, and run jobs beside them.
    async fn with_program(&self, unit: &mut Unit<'_>) -> Result<(SubmitJob, StoredInput), Error> {
        let (project_id, workspace) = self.program.find(unit, self.job.project_id).await?;
        unit.authorize(project_id, Action::RunJobs).await?;
        let Work::CodeExecution { language, timeout_seconds, .. } = self.job.work.clone() else {
            return Err(Error::failure("a job without a program cannot have that of a workspace"));
        };
        let files = self.files(unit, workspace.state.of(project_id)?).await?;
        let input = CodeInput { files, ..self.program.given.clone() }.stored()?;
        let work = Work::CodeExecution { language, timeout_seconds, source: Source::Input(input.input()) };
        Ok((SubmitJob { project_id: Some(project_id), work, ..self.job.clone() }, input))
    }

    /// The job with the program as it is now, which [`TableChange`] keeps from then on.
    ///
    /// # Errors
    /// [`Error::Invalid`], and [`FILE_REDACTED`], where what lies in the workspace cannot be run.
    pub(in crate::application) async fn take(&self, unit: &mut Unit<'_>) -> Result<SubmitJob, Error> {
        // What an attempt before has read gives its place back first: else all could wait for each other.
        self.keep(None);
        let busy = |_| Error::later(OVERLOADED, Duration::from_secs(1));
        let reading = timeout(PATIENCE, READING.acquire()).await.map_err(busy)?.map_err(Error::failure)?;
        let (job, input) = self.with_program(unit).await?;
        self.keep(Some(Taken { input, _reading: reading }));
        Ok(job)
    }

    fn keep(&self, taken: Option<Taken>) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }

    /// The files of the workspace, with what is in them now. How much that is, is known before it is read.
    async fn files(&self, unit: &Unit<'_>, workspace: &WorkspaceState) -> Result<Vec<InputFile>, Error> {
        if !(1..=MAX_FILES).contains(&workspace.file_count()) {
            let detail = format!("must have 1 to {MAX_FILES} files, and has {}", workspace.file_count());
            return Err(Error::invalid("/workspace_id", OUT_OF_RANGE, detail));
        }
        self.program.check_entry(workspace)?;
        let ids: Vec<Uuid> = workspace.files().map(|(_, file)| file.file_id.uuid()).collect();
        let written = written(unit, &ids).await?;
        let bytes: u64 = written.iter().map(|(_, content)| u64::from(content.size)).sum();
        if bytes > MAX_BYTES as u64 {
            let detail = format!("its files must have at most {MAX_BYTES} bytes together, and have {bytes}");
            return Err(Error::invalid("/workspace_id", OUT_OF_RANGE, detail));
        }
        let filled = written.iter().filter(|(_, content)| content.size > 0);
        let wanted: Vec<(FileId, Sha256)> = filled.map(|(file_id, content)| (*file_id, content.sha256)).collect();
        let found = workspaces::contents(unit.pool(), &wanted).await?;
        let mut contents: HashMap<Uuid, Vec<u8>> = found.into_iter().collect();
        if let Some((missing, _)) = wanted.iter().find(|(file_id, _)| !contents.contains_key(&file_id.uuid())) {
            return Err(missing_content(unit, workspace, *missing).await?);
        }
        let files = workspace.files().map(|(path, file)| {
            let content = contents.remove(&file.file_id.uuid()).unwrap_or_default();
            input_file(path, content)
        });
        files.collect()
    }
}

/// Why there is nothing of what was written to a file.
async fn missing_content(unit: &Unit<'_>, workspace: &WorkspaceState, missing: FileId) -> Result<Error, Error> {
    if !has_redactions(unit.pool(), File::TYPE, missing.uuid()).await? {
        return Ok(Error::failure("the content of a file is missing"));
    }
    let path = workspace.files().find(|(_, file)| file.file_id == missing).map_or("", |(path, _)| path.as_str());
    Ok(Error::refused(FILE_REDACTED, format!("what was in the file `{path}` of the workspace is redacted")))
}

/// What the last events of files say is in them; of those that nothing was written to, none.
async fn written(unit: &Unit<'_>, ids: &[Uuid]) -> Result<Vec<(FileId, Content)>, Error> {
    let events = LogReader::new(vec![File::TYPE]).last_of_each(unit.pool(), File::TYPE, ids).await;
    let events = events.map_err(|error| match error {
        LogError::Database(error) => Error::from(error),
        other => Error::failure(other),
    })?;
    let contents = events.into_iter().filter_map(|recorded| match recorded.event {
        DomainEventKind::File(FileEvent::FileContentWritten { content, .. }) => {
            Some((FileId(recorded.aggregate_id), content))
        }
        _ => None,
    });
    Ok(contents.collect())
}

/// A file as a program gets it. Its path was checked when it was put there, perhaps by other rules than today's.
fn input_file(path: &FilePath, content: Vec<u8>) -> Result<InputFile, Error> {
    let path = path.as_str();
    FilePath::parse(path).map_err(|refused| {
        Error::invalid("/workspace_id", refused.code(), format!("the path of its file `{path}` {refused}"))
    })?;
    let content = String::from_utf8(content).map_err(Error::failure)?;
    Ok(InputFile { path: path.to_owned(), content })
}

impl Command for SubmitWorkspaceJob {
    type Reply = SubmittedJob;

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<SubmittedJob, Error> {
        self.take(unit).await?.decide(unit).await
    }
}

impl TableChange for SubmitWorkspaceJob {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().map(|taken| taken.input.keep(self.job.job_id)).collect()
    }
}
