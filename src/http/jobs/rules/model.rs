//! Rules for jobs as clients see them.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, OrganizationId, ProjectId},
    job::Key,
    job_rule::{self, Rule, Running, Weight},
};
use workroom_projections::job_rules::JobRuleRow;

use crate::application::job_rules::DecidedRule;

/// How many jobs may start in a time.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct JobRuleRate {
    /// How many jobs. So many may start at once, and then they come evenly.
    #[schema(minimum = 1, maximum = 10_000)]
    pub count: u32,
    /// In how many seconds.
    #[schema(minimum = 1, maximum = 86_400)]
    pub seconds: u32,
}

/// A rule for jobs: those of an organization, of a project, or an account's own, as far as the further fields do not
/// narrow them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobRule {
    /// The rule's id, which follows from the jobs that it is about.
    pub id: Uuid,
    /// The organization whose projects' jobs it is about.
    pub organization_id: Option<Uuid>,
    /// The project whose jobs it is about.
    pub project_id: Option<Uuid>,
    /// The account whose jobs without a project it is about.
    pub account_id: Option<Uuid>,
    /// Only jobs of this type.
    #[schema(example = "code_execution")]
    pub r#type: Option<String>,
    /// Only jobs with this key.
    pub key: Option<String>,
    /// Only jobs with this fairness key.
    pub fairness_key: Option<String>,
    /// Whether none of the jobs start.
    pub paused: bool,
    /// How many turns the fairness key gets for one of another; null is one. Of all jobs of an organization: how many
    /// turns it gets for one of another, which only the operator says.
    pub weight: Option<u32>,
    /// How many of the jobs run at a time at most; null is as many as there is room for.
    pub running: Option<u32>,
    /// How many of the jobs start in a time at most; null is as many as there is room for.
    pub rate: Option<JobRuleRate>,
    /// Its version, as in `ETag`; 0 where nothing was ever set.
    pub version: i64,
}

impl JobRule {
    fn new(id: Uuid, rule: &Rule, version: i64) -> Self {
        let key = |key: &Option<Key>| key.as_ref().map(|key| key.as_str().to_owned());
        Self {
            id,
            organization_id: rule.scope.organization_id.map(OrganizationId::uuid),
            project_id: rule.scope.project_id.map(ProjectId::uuid),
            account_id: rule.scope.account_id.map(AccountId::uuid),
            r#type: rule.scope.job_type.clone(),
            key: key(&rule.scope.key),
            fairness_key: key(&rule.scope.fairness_key),
            paused: rule.paused,
            weight: rule.weight.map(Weight::number),
            running: rule.running.map(Running::number),
            rate: rule.rate.map(JobRuleRate::from),
            version,
        }
    }
}

impl From<job_rule::Rate> for JobRuleRate {
    fn from(rate: job_rule::Rate) -> Self {
        Self { count: rate.count(), seconds: rate.seconds() }
    }
}

impl From<DecidedRule> for JobRule {
    fn from(decided: DecidedRule) -> Self {
        Self::new(decided.rule_id, &decided.rule, decided.version)
    }
}

impl From<JobRuleRow> for JobRule {
    fn from(row: JobRuleRow) -> Self {
        Self::new(row.id, &row.rule(), row.version)
    }
}
