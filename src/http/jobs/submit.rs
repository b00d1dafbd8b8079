//! `POST /jobs`

use axum::{extract::State as Extract, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::JobId,
    job::{Code, Timeout, Work},
};

use super::model::{Job, JobType, Language};
use crate::application::codes::OUT_OF_RANGE;
use crate::{
    application::{Error, all, at_pointer, jobs::SubmitJob},
    http::{
        State,
        extract::{Body, Caller, ClientKey, JobPath, RequestBody},
        reply::{Accepted, rendered},
    },
};

/// A job to be submitted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitJobRequest {
    /// What kind of work it is.
    #[schema(default = "code_execution")]
    r#type: Option<JobType>,
    /// The language that the program is written in.
    language: Language,
    /// The program, at most 128 KiB.
    #[schema(example = "print(6 * 7)", min_length = 1)]
    code: String,
    /// What the program reads on its standard input, at most 128 KiB.
    stdin: Option<String>,
    /// How long the program may run, in seconds.
    #[schema(minimum = 1, maximum = 300, default = 30)]
    timeout_seconds: Option<u32>,
    /// The project it belongs to; without one it is the caller's own.
    project_id: Option<Uuid>,
}

impl RequestBody for SubmitJobRequest {
    const CLEARABLE: &'static [&'static str] = &["project_id"];
}

impl SubmitJobRequest {
    fn work(&mut self) -> Result<Work, Error> {
        let timeout_seconds = match self.timeout_seconds {
            None => Ok(Timeout::default()),
            Some(seconds) => Timeout::from_seconds(seconds)
                .ok_or_else(|| Error::invalid("/timeout_seconds", OUT_OF_RANGE, "must be from 1 to 300")),
        };
        let (code, stdin, timeout_seconds) = all((
            Code::parse(std::mem::take(&mut self.code)).map_err(at_pointer("/code")),
            self.stdin.take().map(Code::parse_input).transpose().map_err(at_pointer("/stdin")),
            timeout_seconds,
        ))?;
        let JobType::CodeExecution = self.r#type.unwrap_or_default();
        Ok(Work::CodeExecution { language: self.language.into(), code, stdin, timeout_seconds })
    }
}

/// Submit a job. The reply comes at once; follow `Location`, or the project's feed, for what becomes of it.
#[utoipa::path(post, path = "/jobs", tag = "jobs", operation_id = "createJob", responses((status = 404)))]
pub async fn submit(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
    Body { mut value, bytes }: Body<SubmitJobRequest>,
) -> Result<Accepted<Job>, Error> {
    let work = value.work()?;
    let Work::CodeExecution { language, timeout_seconds, .. } = &work;
    let (language, timeout_seconds) = (*language, *timeout_seconds);
    let runnable = (state.sandbox)(language);
    if let Err(reason) = &runnable {
        tracing::warn!(reason, "a job cannot be run here");
    }
    let command = SubmitJob {
        job_id: JobId(Uuid::now_v7()),
        project_id: value.project_id.map(Into::into),
        work,
        can_be_run: runnable.is_ok(),
    };
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let created_at = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |submitted| {
            let job = Job {
                id: submitted.job_id.into(),
                r#type: "code_execution".to_owned(),
                language: language.as_str().to_owned(),
                timeout_seconds: i32::try_from(timeout_seconds.seconds()).unwrap_or(i32::MAX),
                project_id: value.project_id,
                submitted_by: submitted.submitted_by.into(),
                status: "pending".to_owned(),
                attempts: 0,
                max_attempts: 1,
                result: None,
                created_at,
                started_at: None,
                completed_at: None,
                version: submitted.version,
            };
            let location = JobPath { job_id: submitted.job_id }.location();
            rendered(StatusCode::ACCEPTED, Some(location), Some(submitted.version), &job)
        })
        .await
        .map(Accepted::from)
}
