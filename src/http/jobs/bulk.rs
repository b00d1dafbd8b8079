//! What `POST /jobs/cancel`, `/jobs/retry` and `/jobs/delete` share: which jobs they are about, and the job that they
//! submit.

use axum::http::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::{JobId, OrganizationId, ProjectId},
    job::{self, ControlAction, ControlFilter, Key},
    timestamp::Timestamp,
};

use super::model::{Job, JobStatus, JobType};
use crate::{
    application::{Error, all, at_pointer, codes::OUT_OF_RANGE, jobs::SubmitControl},
    http::{
        State,
        extract::{Body, Caller, ClientKey, JobPath, RequestBody},
        problem::codes::INVALID_VALUE,
        reply::{Accepted, rendered},
    },
};

/// Which jobs it is about: of those that were submitted before, all that fit every field that is given. Without
/// `project_id` and `organization_id` they are those that the caller has submitted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ControlJobsRequest {
    /// All jobs of this project.
    project_id: Option<Uuid>,
    /// All jobs of this organization's projects. Only its admins may ask for that.
    organization_id: Option<Uuid>,
    /// Only jobs of this status: one that this can be done with.
    status: Option<JobStatus>,
    /// Only jobs of this type.
    r#type: Option<JobType>,
    /// Only jobs with this key.
    #[schema(min_length = 1, max_length = 255)]
    key: Option<String>,
    /// Only jobs with this fairness key.
    #[schema(min_length = 1, max_length = 255)]
    fairness_key: Option<String>,
    /// Only jobs that were submitted before.
    #[serde(default, with = "time::serde::rfc3339::option")]
    created_before: Option<OffsetDateTime>,
    /// Only jobs that were submitted after.
    #[serde(default, with = "time::serde::rfc3339::option")]
    created_after: Option<OffsetDateTime>,
}

impl RequestBody for ControlJobsRequest {}

impl ControlJobsRequest {
    fn filter(&self, action: ControlAction) -> Result<ControlFilter, Error> {
        let key =
            |key: &Option<String>, pointer| key.as_deref().map(Key::parse).transpose().map_err(at_pointer(pointer));
        let moment = |at: Option<OffsetDateTime>, pointer: &str| {
            let at = at.map(Timestamp::new).transpose();
            at.map_err(|refused| Error::invalid(pointer, OUT_OF_RANGE, refused.to_string()))
        };
        let (organization_id, status, (key, fairness_key), (created_before, created_after)) = all((
            organization(self.project_id, self.organization_id),
            self.status(action),
            all((key(&self.key, "/key"), key(&self.fairness_key, "/fairness_key"))),
            all((moment(self.created_before, "/created_before"), moment(self.created_after, "/created_after"))),
        ))?;
        let job_type = self.r#type.map(|job_type| job_type.as_str().to_owned());
        Ok(ControlFilter { organization_id, status, job_type, key, fairness_key, created_before, created_after })
    }

    fn status(&self, action: ControlAction) -> Result<Option<job::JobStatus>, Error> {
        let Some(status) = self.status.map(JobStatus::as_str) else { return Ok(None) };
        match action.statuses().iter().copied().find(|possible| possible.as_str() == status) {
            Some(status) => Ok(Some(status)),
            None => Err(Error::invalid("/status", INVALID_VALUE, "is none that this can be done with")),
        }
    }
}

/// The organization whose jobs are meant, if it is one.
///
/// # Errors
/// A project is given as well.
pub(super) fn organization(
    project_id: Option<Uuid>,
    organization_id: Option<Uuid>,
) -> Result<Option<OrganizationId>, Error> {
    if project_id.is_some() && organization_id.is_some() {
        return Err(Error::invalid("/organization_id", INVALID_VALUE, "must not be given beside `project_id`"));
    }
    Ok(organization_id.map(OrganizationId))
}

/// Submits the job that does it.
pub(super) async fn submit(
    state: &State,
    caller: &Caller,
    key: ClientKey,
    Body { value, bytes }: Body<ControlJobsRequest>,
    action: ControlAction,
) -> Result<Accepted<Job>, Error> {
    let filter = value.filter(action)?;
    let (job_id, account_id) = (JobId(Uuid::now_v7()), caller.identity.account_id);
    let project_id = value.project_id.map(ProjectId);
    let command = SubmitControl::new((job_id, account_id), project_id, (action, filter), state.open_jobs.clone())?;
    let key = key.bind(state, account_id.into(), &bytes);
    let now = caller.context.now;
    state
        .app
        .create(&caller.context, &command, key, |submitted| {
            let job = Job::submitted(command.job(), submitted, now);
            rendered(StatusCode::ACCEPTED, Some(JobPath { job_id }.location()), Some(submitted.version), &job)
        })
        .await
        .map(Accepted::from)
}
