//! Which jobs a rule is about.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, ProjectId},
    job::Key,
    job_rule::{RuleOwner, RuleScope},
};

use crate::{
    application::{
        Error, all, at_pointer,
        job_rules::{RuleChange, SetJobRule},
    },
    http::{
        State,
        extract::{Caller, RequestBody},
        jobs::{JobType, bulk::organization},
        reply::Updated,
    },
};

use super::model::JobRule;

/// The jobs that a rule is about: those of a project or of an organization's projects; without either, the caller's own
/// that belong to no project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobScopeRequest {
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
}

impl RequestBody for JobScopeRequest {}

impl JobScopeRequest {
    pub(super) fn scope(&self, account_id: AccountId) -> Result<RuleScope, Error> {
        scope(
            owner(self.project_id, self.organization_id, account_id),
            self.r#type,
            self.key.as_deref(),
            self.fairness_key.as_deref(),
        )
    }
}

/// Whose jobs are meant.
///
/// # Errors
/// Both are given.
pub(super) fn owner(
    project_id: Option<Uuid>,
    organization_id: Option<Uuid>,
    account_id: AccountId,
) -> Result<RuleOwner, Error> {
    let organization = organization(project_id, organization_id)?.map(RuleOwner::Organization);
    let project = project_id.map(|id| RuleOwner::Project(ProjectId(id)));
    Ok(organization.or(project).unwrap_or(RuleOwner::Account(account_id)))
}

/// Which jobs are meant.
///
/// # Errors
/// What is wrong with each of these.
pub(super) fn scope(
    owner: Result<RuleOwner, Error>,
    job_type: Option<JobType>,
    key: Option<&str>,
    fairness_key: Option<&str>,
) -> Result<RuleScope, Error> {
    let (owner, key, fairness_key) = all((
        owner,
        key.map(Key::parse).transpose().map_err(at_pointer("/key")),
        fairness_key.map(Key::parse).transpose().map_err(at_pointer("/fairness_key")),
    ))?;
    let job_type = job_type.map(|job_type| job_type.as_str().to_owned());
    Ok(RuleScope { job_type, key, fairness_key, ..RuleScope::all_of(owner) })
}

/// Sets a rule.
pub(super) async fn set(
    state: &State,
    caller: &Caller,
    scope: RuleScope,
    change: RuleChange,
) -> Result<Updated<JobRule>, Error> {
    let command = SetJobRule::new(scope, change)?;
    let done = state.app.run_with_tables(&caller.context, &command, &command).await?;
    let rule = JobRule::from(done.reply);
    Ok(Updated::new(done.position, done.visible, rule.version, &rule))
}
