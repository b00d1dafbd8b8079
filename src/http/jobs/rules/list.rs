//! `GET /jobs/rules`

use axum::extract::State as Extract;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;
use workroom_domain::{access::Action, job_rule::RuleOwner};
use workroom_projections::job_rules;

use super::{model::JobRule, request::owner};
use crate::{
    application::Error,
    http::{
        State,
        extract::{Caller, Query},
        page::{Items, page},
        reply::{List, at_position},
    },
};

/// The query parameters of `GET /jobs/rules`: whose rules to list, and which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListJobRulesParams {
    /// The rules for this project's jobs.
    project_id: Option<Uuid>,
    /// The rules for the jobs of this organization's projects.
    organization_id: Option<Uuid>,
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

/// The rules that are in force for the jobs of a project, of an organization's projects, or else for the caller's own.
#[utoipa::path(
    get,
    path = "/jobs/rules",
    tag = "jobs",
    operation_id = "listJobRules",
    responses((status = 403), (status = 404))
)]
pub async fn list_rules(
    Extract(state): Extract<State>,
    caller: Caller,
    Query(params): Query<ListJobRulesParams>,
) -> Result<List<JobRule>, Error> {
    at_position(&state, params.min_position).await?;
    let account_id = caller.identity.account_id;
    let owner = owner(params.project_id, params.organization_id, account_id)?;
    match owner {
        RuleOwner::Project(project_id) => {
            state.app.project_for(account_id, project_id, Action::ViewJobs).await.map(drop)?;
        }
        RuleOwner::Organization(organization_id) => {
            state.app.organization_for(account_id, organization_id).await.map(drop)?;
        }
        RuleOwner::Account(_) => {}
    }
    let page = page(params.limit, params.cursor.as_deref(), params.skip)?;
    let listed = job_rules::list(state.app.pool(), owner, page).await?;
    Items::of(listed, |row| Ok(row.into())).map(List::from)
}
