//! `GET /jobs`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use workroom_domain::{
    access::Action,
    ids::{ProjectId, ScheduleId},
};
use workroom_projections::jobs::{self, Filter};

use super::model::{Job, JobStatus, JobType};
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Query},
        page::{Items, page},
        reply::{List, at_position},
    },
};

/// The query parameters of `GET /jobs`: which jobs to list, and which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListJobsParams {
    /// All jobs of this project; without it, all that the caller submitted.
    project_id: Option<Uuid>,
    /// Only jobs of this status.
    status: Option<JobStatus>,
    /// Only jobs of this type.
    r#type: Option<JobType>,
    /// Only jobs that this schedule has submitted.
    schedule_id: Option<Uuid>,
    /// Most items to return, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// Pass over so many items first.
    #[param(minimum = 0, maximum = 100_000)]
    skip: Option<i64>,
    /// Wait, for a bounded time, until the list shows this log position.
    min_position: Option<i64>,
}

/// A project's jobs, or the caller's own, newest first.
#[utoipa::path(get, path = "/jobs", tag = "jobs", operation_id = "listJobs", responses((status = 403), (status = 404)))]
pub async fn list(
    Extract(state): Extract<State>,
    caller: Caller,
    Query(params): Query<ListJobsParams>,
) -> Result<List<Job>, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    if let Some(project_id) = params.project_id {
        state.app.project_for(account_id, ProjectId(project_id), Action::ViewJobs).await?;
    }
    let page = page(params.limit, params.cursor.as_deref(), params.skip)?;
    let filter = Filter {
        project_id: params.project_id.map(ProjectId),
        status: params.status.map(JobStatus::as_str),
        job_type: params.r#type.map(JobType::as_str),
        schedule_id: params.schedule_id.map(ScheduleId),
    };
    let listed = jobs::list(state.app.pool(), account_id, filter, page).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
