//! What jobs a rule is about.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AccountId, OrganizationId, ProjectId},
    job::Key,
    redaction::PayloadRedacted,
};

/// The jobs that a rule is about: those of an organization, of a project, or an account's own. Each further field
/// narrows them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobRuleScope))]
pub struct RuleScope {
    /// The jobs of the projects of this organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub organization_id: Option<OrganizationId>,
    /// The jobs of this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub project_id: Option<ProjectId>,
    /// The jobs of this account that belong to no project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub account_id: Option<AccountId>,
    /// Only jobs of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub job_type: Option<String>,
    /// Only jobs with this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key: Option<Key>,
    /// Only jobs with this fairness key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub fairness_key: Option<Key>,
}

/// Whose jobs a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleOwner {
    /// Those of an organization's projects.
    Organization(OrganizationId),
    /// Those of a project.
    Project(ProjectId),
    /// Those of an account that belong to no project.
    Account(AccountId),
}

impl RuleScope {
    /// All jobs of an owner.
    pub fn all_of(owner: RuleOwner) -> Self {
        let (organization_id, project_id, account_id) = match owner {
            RuleOwner::Organization(id) => (Some(id), None, None),
            RuleOwner::Project(id) => (None, Some(id), None),
            RuleOwner::Account(id) => (None, None, Some(id)),
        };
        Self { organization_id, project_id, account_id, job_type: None, key: None, fairness_key: None }
    }

    /// Sets the keys that were redacted to their placeholders. No job has such a key.
    pub fn redact(&mut self, redacted: &PayloadRedacted) {
        for (field, key) in [("key", &mut self.key), ("fairness_key", &mut self.fairness_key)] {
            if redacted.has(field) {
                *key = Some(Key::redacted(redacted.position));
            }
        }
    }

    /// Whose jobs it is about.
    pub fn owner(&self) -> Option<RuleOwner> {
        let organization = self.organization_id.map(RuleOwner::Organization);
        let project = self.project_id.map(RuleOwner::Project);
        organization.or(project).or(self.account_id.map(RuleOwner::Account))
    }
}
