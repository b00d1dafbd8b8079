//! What the jobs of a schedule work on: kept once for the schedule, outside the log, and copied for each of its jobs. Of a
//! program whose files lie in a workspace that is what it is given beside them.

use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;
use workroom_domain::{
    ids::{JobId, ScheduleId},
    job::{Input, Source, Work},
    schedule::JobTemplate,
};

use crate::application::{
    Bytea, Change, Error, TableChange,
    codes::OUT_OF_RANGE,
    jobs::{CodeInput, StoredInput, WorkspaceProgram},
};

/// What the log names the input by that a job has, if it has one.
pub(super) fn input_of(work: &Work) -> Option<Input> {
    match work {
        Work::CodeExecution { source: Source::Input(input), .. } | Work::Email { input } => Some(*input),
        _ => None,
    }
}

/// Whether the input of a schedule is kept.
pub(super) async fn is_kept(pool: &PgPool, schedule_id: ScheduleId, input: Input) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM schedule_inputs WHERE schedule_id = $1 AND sha256 = $2)")
        .bind(schedule_id.uuid())
        .bind(input.sha256.0.as_slice())
        .fetch_one(pool)
        .await
}

/// The program of a schedule's next job, where that lies in a workspace.
///
/// # Errors
/// [`Error::Overtaken`] where what the program is given was replaced meanwhile, or is lost; the database's.
pub(super) async fn program_of(
    pool: &PgPool,
    schedule_id: ScheduleId,
    job: &JobTemplate,
) -> Result<Option<WorkspaceProgram>, Error> {
    let (Some(workspace_id), Some(input)) = (job.workspace_id, input_of(&job.work)) else { return Ok(None) };
    let kept: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT content FROM schedule_inputs WHERE schedule_id = $1 AND sha256 = $2")
            .bind(schedule_id.uuid())
            .bind(input.sha256.0.as_slice())
            .fetch_optional(pool)
            .await?;
    let given: CodeInput = serde_json::from_slice(&kept.ok_or(Error::Overtaken)?).map_err(Error::failure)?;
    // Nobody is answered with it: the run is passed over.
    let no_entry = || Error::invalid("/job/entry", OUT_OF_RANGE, "is no file of the workspace");
    Ok(Some(WorkspaceProgram { workspace_id, given, no_entry }))
}

/// Keeps the input of a schedule's jobs, with the event that names it, in place of the one before.
#[derive(Clone, Debug)]
pub struct StoreScheduleInput {
    /// The schedule that it belongs to.
    pub schedule_id: ScheduleId,
    /// What is kept, if the job is given; inside, if it has an input.
    pub input: Option<Option<StoredInput>>,
}

#[derive(Serialize)]
struct InputRow<'a> {
    schedule_id: Uuid,
    sha256: Bytea<'a>,
    content: &'a str,
}

#[derive(Serialize)]
struct ScheduleRow {
    schedule_id: Uuid,
}

/// Deletes the input of a schedule.
pub(super) fn delete(schedule_id: ScheduleId) -> Result<Change, Error> {
    Change::new(
        "DELETE FROM schedule_inputs i USING jsonb_to_record($1) AS a (schedule_id uuid)
         WHERE i.schedule_id = a.schedule_id",
        &ScheduleRow { schedule_id: schedule_id.into() },
    )
}

impl TableChange for StoreScheduleInput {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let stored = match &self.input {
            None => return Ok(Vec::new()),
            Some(None) => return Ok(vec![delete(self.schedule_id)?]),
            Some(Some(stored)) => stored,
        };
        let sha256 = stored.input().sha256;
        let schedule_id = self.schedule_id.into();
        let row = InputRow { schedule_id, sha256: Bytea(&sha256.0), content: stored.json() };
        let store = Change::new(
            "INSERT INTO schedule_inputs (schedule_id, sha256, content)
             SELECT schedule_id, sha256, convert_to(content, 'UTF8')
             FROM jsonb_to_record($1) AS a (schedule_id uuid, sha256 bytea, content text)
             ON CONFLICT (schedule_id) DO UPDATE SET
                 (sha256, content, created_at) = (excluded.sha256, excluded.content, excluded.created_at)",
            &row,
        )?;
        Ok(vec![store])
    }

    fn is_empty(&self) -> bool {
        self.input.is_none()
    }
}

#[derive(Serialize)]
struct CopyRow<'a> {
    schedule_id: Uuid,
    job_id: Uuid,
    sha256: Bytea<'a>,
}

/// Copies a schedule's input for one of its jobs.
pub(super) fn copy(schedule_id: ScheduleId, job_id: JobId, input: Input) -> Result<Change, Error> {
    let copy = Change::new(
        "INSERT INTO job_inputs (job_id, sha256, content)
         SELECT a.job_id, i.sha256, i.content
         FROM jsonb_to_record($1) AS a (schedule_id uuid, job_id uuid, sha256 bytea)
         JOIN schedule_inputs i ON i.schedule_id = a.schedule_id AND i.sha256 = a.sha256",
        &CopyRow { schedule_id: schedule_id.into(), job_id: job_id.into(), sha256: Bytea(&input.sha256.0) },
    )?;
    // It was replaced meanwhile, or is lost.
    Ok(copy.or(|| Error::Overtaken))
}
