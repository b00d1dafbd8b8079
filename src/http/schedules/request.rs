//! What clients say of a schedule.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::ProjectId,
    job::Language,
    schedule::{CronExpression, JobTemplate, ScheduleFields, SchedulePatch, TimeZoneName, Timing, UniqueSeconds},
    text::Name,
};

use super::{model::MissedRuns, shortest::Shortest};
use crate::{
    application::{
        Error, Violation, all, at_pointer,
        jobs::{Repeat, StoredInput, WorkspaceProgram},
        schedules::{calendar::time_zone, check_project},
    },
    http::{
        extract::{RequestBody, double_option},
        jobs::ScheduledJobRequest,
        problem::codes::{INVALID_VALUE, MISSING_FIELD},
    },
};

/// A schedule to begin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateScheduleRequest {
    /// What it is called.
    #[schema(example = "Nightly report", min_length = 1, max_length = 200)]
    name: Option<String>,
    /// The project it belongs to; without one it is the caller's own.
    project_id: Option<Uuid>,
    /// The minutes at which it runs: a cron expression of five fields, or a name such as `@daily`. Either this, or
    /// `every_seconds`.
    #[schema(example = "30 3 * * mon-fri", min_length = 1, max_length = 255)]
    cron: Option<String>,
    /// The seconds between two runs, counted from its creation. The service may ask for more than one.
    #[schema(minimum = 1, maximum = 31_536_000)]
    every_seconds: Option<u32>,
    /// The time zone whose clocks the cron expression goes by. A time that clocks leave out in spring is the first
    /// moment after that; one that they show twice in autumn is the first of both.
    #[schema(example = "Europe/Berlin", default = "UTC")]
    time_zone: Option<String>,
    /// What becomes of missed runs; one stands for all of them when not given.
    missed: Option<MissedRuns>,
    /// Whether it rests until somebody changes that.
    #[schema(default = false)]
    paused: Option<bool>,
    /// What it submits.
    job: ScheduledJobRequest,
}

impl RequestBody for CreateScheduleRequest {
    const CLEARABLE: &'static [&'static str] = &["name", "project_id"];
}

/// What is kept for the jobs of a schedule, and their program, where that lies in a workspace.
type JobInput = (Option<StoredInput>, Option<WorkspaceProgram>);

/// A schedule to begin, and what its jobs work on.
pub(super) struct CheckedSchedule {
    pub(super) project_id: Option<ProjectId>,
    pub(super) fields: ScheduleFields,
    pub(super) input: Option<StoredInput>,
    pub(super) program: Option<WorkspaceProgram>,
}

impl CreateScheduleRequest {
    pub(super) fn check(self, knows: impl Fn(&Language) -> bool, shortest: Shortest) -> Result<CheckedSchedule, Error> {
        let timing = timing(self.cron.as_deref(), self.every_seconds, shortest);
        let missing = || Error::invalid("/cron", MISSING_FIELD, "must be given, or else `every_seconds`");
        let project_id = self.project_id.map(ProjectId::from);
        let job = template(self.job, knows);
        let job = job.and_then(|(job, input)| check_project(&job, project_id).map(|()| (job, input)));
        let (name, timing, time_zone, (job, (input, program))) = all((
            self.name.as_deref().map(Name::parse).transpose().map_err(at_pointer("/name")),
            timing.and_then(|timing| timing.ok_or_else(missing)),
            zone(self.time_zone.as_deref()),
            job,
        ))?;
        let (missed, paused) = (self.missed.map(Into::into).unwrap_or_default(), self.paused.unwrap_or_default());
        let time_zone = time_zone.unwrap_or_default();
        let fields = ScheduleFields { name, timing, time_zone, missed, paused, job };
        Ok(CheckedSchedule { project_id, fields, input, program })
    }
}

/// The fields of a schedule to change; the others stay. Where null is there for a field, it clears it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateScheduleRequest {
    /// The new name; null removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<Option<String>>,
    /// The new minutes at which it runs, in place of `every_seconds` if it had that.
    #[schema(min_length = 1, max_length = 255)]
    cron: Option<String>,
    /// The new seconds between two runs, counted from now, in place of `cron` if it had that.
    #[schema(minimum = 1, maximum = 31_536_000)]
    every_seconds: Option<u32>,
    /// The new time zone.
    time_zone: Option<String>,
    /// What becomes of missed runs from now on.
    missed: Option<MissedRuns>,
    /// Whether it rests; false also lets a suspended schedule go on, in the name of who asks.
    paused: Option<bool>,
    /// What it submits from now on, in the name of who asks. It is replaced as a whole.
    job: Option<ScheduledJobRequest>,
}

impl RequestBody for UpdateScheduleRequest {
    const CLEARABLE: &'static [&'static str] = &["name"];
}

/// Fields to change, and what the jobs work on from then on, if that is one of them.
pub(super) struct CheckedPatch {
    pub(super) patch: SchedulePatch,
    pub(super) input: Option<Option<StoredInput>>,
    pub(super) program: Option<WorkspaceProgram>,
}

impl UpdateScheduleRequest {
    pub(super) fn check(self, knows: impl Fn(&Language) -> bool, shortest: Shortest) -> Result<CheckedPatch, Error> {
        let name = self.name.map(|name| name.as_deref().map(Name::parse).transpose()).transpose();
        let (name, timing, time_zone, job) = all((
            name.map_err(at_pointer("/name")),
            timing(self.cron.as_deref(), self.every_seconds, shortest),
            zone(self.time_zone.as_deref()),
            self.job.map(|job| template(job, knows)).transpose(),
        ))?;
        let (job, input) = job.unzip();
        let (input, program) = input.unzip();
        let (missed, paused) = (self.missed.map(Into::into), self.paused);
        let patch = SchedulePatch { name, timing, time_zone, missed, paused, job };
        Ok(CheckedPatch { patch, input, program: program.flatten() })
    }
}

fn timing(cron: Option<&str>, every_seconds: Option<u32>, shortest: Shortest) -> Result<Option<Timing>, Error> {
    match (cron, every_seconds) {
        (None, None) => Ok(None),
        (Some(cron), None) => {
            let expression = CronExpression::parse(cron).map_err(at_pointer("/cron"))?;
            shortest.admit_cron(&expression)?;
            Ok(Some(Timing::Cron(expression)))
        }
        (None, Some(seconds)) => shortest.admit_seconds(seconds).map(|seconds| Some(Timing::EverySeconds(seconds))),
        (Some(_), Some(_)) => Err(Error::invalid("/every_seconds", INVALID_VALUE, "must not be given beside `cron`")),
    }
}

fn zone(name: Option<&str>) -> Result<Option<TimeZoneName>, Error> {
    name.map(time_zone).transpose().map_err(at_pointer("/time_zone"))
}

/// The job, and what it works on; checked as one that is submitted at once.
fn template(job: ScheduledJobRequest, knows: impl Fn(&Language) -> bool) -> Result<(JobTemplate, JobInput), Error> {
    let checked = job.check(knows).map_err(|error| match error {
        Error::Invalid(violations) => {
            let within = |violation: Violation| {
                let pointer = format!("/job{}", violation.pointer);
                Violation { pointer, ..violation }
            };
            Error::Invalid(violations.into_iter().map(within).collect())
        }
        other => other,
    })?;
    // Of the program of a workspace, what it is given beside the files is kept.
    let input = match &checked.workspace {
        Some(program) => Some(program.given.stored()?),
        None => checked.input,
    };
    let program = checked.workspace.map(|program| WorkspaceProgram { no_entry, ..program });
    let unique_seconds = match checked.repeat {
        Repeat::Unique(window) => u32::try_from(window.as_secs()).ok().and_then(UniqueSeconds::from_number),
        Repeat::Each | Repeat::Debounce(_) => None,
    };
    let template = JobTemplate {
        work: checked.work,
        max_attempts: checked.max_attempts,
        priority: checked.priority,
        key: checked.key,
        fairness_key: checked.fairness_key,
        workspace_id: program.as_ref().map(|program| program.workspace_id),
        unique_seconds,
    };
    Ok((template, (input, program)))
}

/// No file of the workspace lies where the one is to lie that is run.
fn no_entry() -> Error {
    Error::invalid("/job/entry", INVALID_VALUE, "must be the path of one of the workspace's files")
}
