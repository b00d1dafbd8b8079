//! `POST /jobs`

use axum::{extract::State as Extract, http::StatusCode};
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{ids::JobId, job::Work};

use super::{
    model::Job,
    request::{CheckedJob, SubmitJobRequest},
};
use crate::{
    application::{
        Error, Rendered,
        jobs::{StoreInput, SubmitJob, SubmitWorkspaceJob, SubmittedJob},
    },
    http::{
        State,
        extract::{Body, Caller, ClientKey, JobPath},
        reply::{AcceptedOrEarlier, rendered},
    },
};

/// Submit a job. The reply comes at once; follow `Location`, or the project's feed, for what becomes of it.
#[utoipa::path(post, path = "/jobs", tag = "jobs", operation_id = "createJob", responses((status = 404)))]
pub async fn submit(
    Extract(state): Extract<State>,
    caller: Caller,
    key: ClientKey,
    Body { mut value, bytes }: Body<SubmitJobRequest>,
) -> Result<AcceptedOrEarlier<Job>, Error> {
    let CheckedJob { work, input, workspace, max_attempts, priority, run_at, key: job_key, repeat, fairness_key } =
        value.check(|language| state.languages.contains(language.as_str()))?;
    let command = SubmitJob {
        job_id: JobId(Uuid::now_v7()),
        project_id: value.project_id.map(Into::into),
        can_be_run: can_be_run(&state, &work),
        open: state.open_jobs.clone(),
        work,
        max_attempts,
        priority,
        run_at,
        key: job_key,
        repeat,
        fairness_key,
        schedule_id: None,
    };
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let context = state.app.context_of(&caller.context, &command).await?;
    let (app, context) = (&state.app, &*context);
    let answer = if let Some(program) = workspace {
        let command = SubmitWorkspaceJob::new(command, program);
        let render = |submitted: &SubmittedJob| reply(command.job(), submitted, context.now);
        app.create_with_tables(context, &command, &command, key, render).await
    } else {
        let tables = StoreInput { job_id: command.job_id, input };
        let render = |submitted: &SubmittedJob| reply(&command, submitted, context.now);
        app.create_with_tables(context, &command, &tables, key, render).await
    };
    answer.map(AcceptedOrEarlier::from)
}

/// The job, or the earlier one in its place.
fn reply(command: &SubmitJob, submitted: &SubmittedJob, now: OffsetDateTime) -> Result<Rendered, Error> {
    let location = JobPath { job_id: submitted.job_id }.location();
    let (status, job) = match &submitted.earlier {
        Some(earlier) => (StatusCode::OK, Job::from(earlier.clone())),
        None => (StatusCode::ACCEPTED, Job::submitted(command, submitted, now)),
    };
    rendered(status, Some(location), Some(submitted.version), &job)
}

/// Whether there is anybody who could do it.
fn can_be_run(state: &State, work: &Work) -> bool {
    let Work::CodeExecution { language, .. } = work else { return true };
    match (state.sandbox)(language) {
        Ok(()) => true,
        Err(reason) => {
            tracing::warn!(reason, "a job cannot be run here");
            false
        }
    }
}

impl Job {
    pub(super) fn submitted(command: &SubmitJob, submitted: &SubmittedJob, now: OffsetDateTime) -> Self {
        let (language, timeout_seconds) = match &command.work {
            Work::CodeExecution { language, timeout_seconds, .. } => {
                let seconds = i32::try_from(timeout_seconds.seconds()).unwrap_or(i32::MAX);
                (Some(language.as_str().to_owned()), Some(seconds))
            }
            _ => (None, None),
        };
        Self {
            id: submitted.job_id.into(),
            r#type: command.work.job_type().to_owned(),
            language,
            timeout_seconds,
            project_id: submitted.project_id.map(Into::into),
            submitted_by: submitted.submitted_by.into(),
            status: "pending".to_owned(),
            priority: command.priority.number().into(),
            run_at: submitted.run_at,
            key: command.key.as_ref().map(|key| key.as_str().to_owned()),
            fairness_key: command.fairness_key.as_ref().map(|key| key.as_str().to_owned()),
            schedule_id: command.schedule_id.map(Into::into),
            attempts: 0,
            max_attempts: i32::try_from(command.max_attempts.number()).unwrap_or(i32::MAX),
            next_attempt_at: Some(submitted.run_at.unwrap_or(now)),
            position: None,
            expected_start_at: None,
            progress: None,
            result: None,
            created_at: now,
            started_at: None,
            completed_at: None,
            version: submitted.version,
        }
    }
}
