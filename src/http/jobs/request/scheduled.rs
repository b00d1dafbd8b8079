//! A job that a schedule submits: all that one has that is submitted at once, but for what the schedule says itself: when it
//! is done, and what it belongs to.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::job::Language;

use super::{CheckedJob, JobFile, SubmitJobRequest};
use crate::{
    application::{Error, Violation, all},
    http::{jobs::model::JobType, problem::codes::INVALID_VALUE},
};

/// The job that a schedule submits each time. It belongs to what the schedule belongs to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduledJobRequest {
    /// What kind of work it is.
    #[schema(default = "code_execution")]
    r#type: Option<JobType>,
    /// The language that the program is written in: `python`, `javascript`, `bash`, or another that is configured.
    #[schema(example = "python")]
    language: Option<String>,
    /// The program, at most 128 KiB. Either this, or `files` and `entry`, or `workspace_id` and `entry`.
    #[schema(example = "print(6 * 7)", min_length = 1)]
    code: Option<String>,
    /// The program's files, at most 1,000 and one MiB together.
    #[schema(max_items = 1000)]
    files: Option<Vec<JobFile>>,
    /// The workspace whose files are the program, as they are at each run: at most 1,000 and one MiB together. The schedule has to
    /// belong to the project of the workspace.
    workspace_id: Option<Uuid>,
    /// The path of the file that is run.
    #[schema(example = "src/main.py")]
    entry: Option<String>,
    /// What the program reads on its standard input, at most 128 KiB.
    stdin: Option<String>,
    /// The program's arguments, at most 100 of 4 KiB each and 128 KiB together.
    #[schema(max_items = 100)]
    args: Option<Vec<String>>,
    /// Variables of the program's environment: at most 100 of 4 KiB each, and 128 KiB together with their names. Names have capital
    /// letters, digits and `_`, the first is no digit, and they are none that the sandbox, the loader or the shell uses, such as `PATH`.
    env: Option<BTreeMap<String, String>>,
    /// How long the program may run, in seconds.
    #[schema(minimum = 1, maximum = 300, default = 30)]
    timeout_seconds: Option<u32>,
    /// Of an export: only events behind this place in the project's feed, at each run.
    #[schema(minimum = 0, default = 0)]
    after: Option<i64>,
    /// Of a mail: its subject.
    #[schema(min_length = 1, max_length = 200)]
    subject: Option<String>,
    /// Of a mail: its text. It goes to the account that the schedule acts for.
    #[schema(min_length = 1, max_length = 20_000)]
    text: Option<String>,
    /// How urgent it is among the jobs of its organization: 1 is the most urgent, 5 the least.
    #[schema(minimum = 1, maximum = 5, default = 3)]
    priority: Option<u8>,
    /// How often it may be tried. After a failure it is tried again after a pause, which grows.
    #[schema(minimum = 1, maximum = 25, default = 1)]
    max_attempts: Option<u32>,
    /// Of the jobs of a project (or account) with the same key one runs at a time. It is kept in the history: nothing
    /// personal.
    #[schema(min_length = 1, max_length = 255)]
    key: Option<String>,
    /// For so many seconds each job is the only one with its `key`: a run that comes while another one is, is passed over.
    #[schema(minimum = 1, maximum = 604_800)]
    unique_seconds: Option<u32>,
    /// Jobs with different ones take turns, within their organization. It is kept in the history: nothing personal.
    #[schema(min_length = 1, max_length = 255)]
    fairness_key: Option<String>,
    // Known only to be refused with a reason.
    #[schema(ignore)]
    run_at: Option<IgnoredAny>,
    #[schema(ignore)]
    debounce_seconds: Option<IgnoredAny>,
    #[schema(ignore)]
    project_id: Option<IgnoredAny>,
}

impl ScheduledJobRequest {
    /// Checked as one that is submitted at once.
    pub(in crate::http) fn check(self, knows: impl Fn(&Language) -> bool) -> Result<CheckedJob, Error> {
        all((self.leaves_to_schedule(), SubmitJobRequest::from(self).check_job(knows))).map(|((), checked)| checked)
    }

    /// Nothing may be given that the schedule says.
    fn leaves_to_schedule(&self) -> Result<(), Error> {
        let given = [
            ("/run_at", &self.run_at, "is not for jobs of schedules: they are done at the times of the schedule"),
            (
                "/debounce_seconds",
                &self.debounce_seconds,
                "is not for jobs of schedules: they come at set times, and in no bursts; see `unique_seconds`",
            ),
            ("/project_id", &self.project_id, "is not for jobs of schedules: give it beside `job`"),
        ];
        let violations: Vec<_> = given
            .into_iter()
            .filter(|(_, field, _)| field.is_some())
            .map(|(pointer, _, detail)| Violation::new(pointer, INVALID_VALUE, detail))
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
    }
}

impl From<ScheduledJobRequest> for SubmitJobRequest {
    fn from(job: ScheduledJobRequest) -> Self {
        Self {
            r#type: job.r#type,
            language: job.language,
            code: job.code,
            files: job.files,
            workspace_id: job.workspace_id,
            entry: job.entry,
            stdin: job.stdin,
            args: job.args,
            env: job.env,
            timeout_seconds: job.timeout_seconds,
            after: job.after,
            subject: job.subject,
            text: job.text,
            project_id: None,
            priority: job.priority,
            run_at: None,
            max_attempts: job.max_attempts,
            key: job.key,
            unique_seconds: job.unique_seconds,
            debounce_seconds: None,
            fairness_key: job.fairness_key,
        }
    }
}
