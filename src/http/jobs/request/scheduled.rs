//! A job that a schedule submits: all that one has that is submitted at once, but for when, and for what.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;
use workroom_domain::job::Language;

use super::{CheckedJob, JobFile, SubmitJobRequest};
use crate::{application::Error, http::jobs::model::JobType};

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
    /// The program, at most 128 KiB. Either this, or `files` and `entry`.
    #[schema(example = "print(6 * 7)", min_length = 1)]
    code: Option<String>,
    /// The program's files, at most 1,000 and one MiB together.
    #[schema(max_items = 1000)]
    files: Option<Vec<JobFile>>,
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
    /// Jobs with different ones take turns, within their organization. It is kept in the history: nothing personal.
    #[schema(min_length = 1, max_length = 255)]
    fairness_key: Option<String>,
}

impl ScheduledJobRequest {
    /// Checked as one that is submitted at once.
    pub(in crate::http) fn check(self, knows: impl Fn(&Language) -> bool) -> Result<CheckedJob, Error> {
        SubmitJobRequest::from(self).check_job(knows)
    }
}

impl From<ScheduledJobRequest> for SubmitJobRequest {
    fn from(job: ScheduledJobRequest) -> Self {
        Self {
            r#type: job.r#type,
            language: job.language,
            code: job.code,
            files: job.files,
            // A schedule's job is checked once, and not each time it is submitted.
            workspace_id: None,
            entry: job.entry,
            stdin: job.stdin,
            args: job.args,
            env: job.env,
            timeout_seconds: job.timeout_seconds,
            after: None,
            subject: job.subject,
            text: job.text,
            project_id: None,
            priority: job.priority,
            run_at: None,
            max_attempts: job.max_attempts,
            key: job.key,
            unique_seconds: None,
            debounce_seconds: None,
            fairness_key: job.fairness_key,
        }
    }
}
