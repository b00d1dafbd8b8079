//! `PUT /organizations/{organization_id}/retention`: how long what jobs work on, print and leave is kept.

use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use workroom_domain::organization::{OrganizationPatch, OrganizationSettingsPatch};

use crate::{
    application::{Error, all, codes::OUT_OF_RANGE, organizations::UpdateOrganization},
    http::{
        State,
        extract::{Caller, IfMatch, Json, OrganizationPath, RequestBody},
        reply::Updated,
    },
};

/// Most days that can be asked for: ten years.
const MOST_DAYS: u32 = 3_650;

/// How long what belongs to the jobs of an organization's projects is to be kept. What is left out, or null, is kept as long as the
/// service is set to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRetentionRequest {
    /// Days for which what jobs print and leave is kept.
    #[schema(minimum = 1, maximum = 3_650, example = 30)]
    job_output_days: Option<u32>,
    /// Days for which programs, and what they are given, are kept.
    #[schema(minimum = 1, maximum = 3_650, example = 90)]
    job_code_days: Option<u32>,
}

/// How long what belongs to the jobs of an organization's projects is kept; null: as long as the service is set to.
#[derive(Serialize, ToSchema)]
pub struct Retention {
    /// Days for which what jobs print and leave is kept.
    job_output_days: Option<u32>,
    /// Days for which programs, and what they are given, are kept.
    job_code_days: Option<u32>,
}

impl RequestBody for SetRetentionRequest {
    const CLEARABLE: &'static [&'static str] = &["job_output_days", "job_code_days"];
}

/// Checks a number of days. 0 stands for as long as the service is set to.
fn days(pointer: &str, days: Option<u32>) -> Result<u32, Error> {
    match days {
        None => Ok(0),
        Some(days @ 1..=MOST_DAYS) => Ok(days),
        Some(_) => Err(Error::invalid(pointer, OUT_OF_RANGE, format!("must be 1 to {MOST_DAYS}"))),
    }
}

/// Set how long what belongs to jobs is kept. Of jobs that are over, what is older is deleted within the hour; the history stays.
#[utoipa::path(
    put,
    path = "/organizations/{organization_id}/retention",
    tag = "organizations",
    operation_id = "setOrganizationRetention"
)]
pub async fn set_retention(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationPath { organization_id }: OrganizationPath,
    IfMatch(if_version): IfMatch,
    Json(request): Json<SetRetentionRequest>,
) -> Result<Updated<Retention>, Error> {
    let (job_output_days, job_code_days) =
        all((days("/job_output_days", request.job_output_days), days("/job_code_days", request.job_code_days)))?;
    let settings = OrganizationSettingsPatch {
        job_output_days: Some(job_output_days),
        job_code_days: Some(job_code_days),
        ..OrganizationSettingsPatch::default()
    };
    let patch = OrganizationPatch { settings, ..OrganizationPatch::default() };
    let command = UpdateOrganization { organization_id, patch, if_version };
    let done = state.app.update_organization(&caller.context, &command).await?;
    let retention = Retention { job_output_days: request.job_output_days, job_code_days: request.job_code_days };
    Ok(Updated::new(done.position, done.visible, done.reply.version, &retention))
}
