//! `PUT /jobs/rules`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::AccountId,
    job_rule::{Rate, RuleOwner, RuleScope, Running, Weight},
};

use super::{
    model::JobRule,
    request::{owner, scope, set},
};
use crate::{
    application::{Error, all, codes::OUT_OF_RANGE, job_rules::RuleChange},
    http::{
        State,
        extract::{Caller, Json, RequestBody},
        jobs::JobType,
        problem::codes::INVALID_VALUE,
        reply::Updated,
    },
};

/// How many jobs may start in a time.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobRateRequest {
    /// How many jobs. So many may start at once, and then they come evenly.
    #[schema(minimum = 1, maximum = 10_000)]
    count: u32,
    /// In how many seconds.
    #[schema(minimum = 1, maximum = 86_400)]
    seconds: u32,
}

/// The limits of jobs: those of a project or of an organization's projects; without either, of the caller's own that
/// belong to no project. A limit that is not given, or null, is none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetJobRuleRequest {
    /// The jobs of this project.
    project_id: Option<Uuid>,
    /// The jobs of this organization's projects.
    organization_id: Option<Uuid>,
    /// Only jobs of this type.
    r#type: Option<JobType>,
    /// Only jobs with this key.
    #[schema(min_length = 1, max_length = 255)]
    key: Option<String>,
    /// Only jobs with this fairness key.
    #[schema(min_length = 1, max_length = 255)]
    fairness_key: Option<String>,
    /// How many turns the fairness key gets for one of another.
    #[schema(minimum = 1, maximum = 100)]
    weight: Option<u32>,
    /// How many of the jobs run at a time at most.
    #[schema(minimum = 1, maximum = 10_000)]
    running: Option<u32>,
    /// How many of the jobs start in a time at most.
    rate: Option<JobRateRequest>,
}

impl RequestBody for SetJobRuleRequest {
    const CLEARABLE: &'static [&'static str] = &["weight", "running", "rate"];
}

impl SetJobRuleRequest {
    fn check(&self, account_id: AccountId) -> Result<(RuleScope, RuleChange), Error> {
        let owner = owner(self.project_id, self.organization_id, account_id);
        let (scope, weight, running, rate) = all((
            scope(owner, self.r#type, self.key.as_deref(), self.fairness_key.as_deref()),
            self.weight.map(|number| within("/weight", Weight::from_number(number), Weight::LIMIT)).transpose(),
            self.running.map(|number| within("/running", Running::from_number(number), Running::LIMIT)).transpose(),
            self.rate.map(rate).transpose(),
        ))?;
        if weight.is_some() && !shares_turns(&scope) {
            let detail = "is for a fairness key of an organization, or of an account's own jobs";
            return Err(Error::invalid("/weight", INVALID_VALUE, detail));
        }
        Ok((scope, RuleChange::Limit { weight, running, rate }))
    }
}

/// Whether these jobs take turns with others of their owner. What organizations get beside each other none of them
/// decides.
fn shares_turns(scope: &RuleScope) -> bool {
    let RuleScope { job_type: None, key: None, fairness_key: Some(_), .. } = scope else { return false };
    !matches!(scope.owner(), Some(RuleOwner::Project(_)) | None)
}

fn within<N>(pointer: &str, number: Option<N>, most: u32) -> Result<N, Error> {
    number.ok_or_else(|| Error::invalid(pointer, OUT_OF_RANGE, format!("must be from 1 to {most}")))
}

fn rate(JobRateRequest { count, seconds }: JobRateRequest) -> Result<Rate, Error> {
    let is_counted = (1..=Rate::COUNT).contains(&count);
    let (pointer, most) = if is_counted { ("/rate/seconds", Rate::SECONDS) } else { ("/rate/count", Rate::COUNT) };
    within(pointer, Rate::new(count, seconds), most)
}

/// Set, or clear, the limits of jobs. Those that run are not touched, and a pause stays.
#[utoipa::path(
    put,
    path = "/jobs/rules",
    tag = "jobs",
    operation_id = "setJobRule",
    responses((status = 403), (status = 404), (status = 409))
)]
pub async fn set_rule(
    Extract(state): Extract<State>,
    caller: Caller,
    Json(request): Json<SetJobRuleRequest>,
) -> Result<Updated<JobRule>, Error> {
    let (scope, change) = request.check(caller.identity.account_id)?;
    set(&state, &caller, scope, change).await
}
