//! Which rules a job is subject to.

use std::collections::HashMap;

use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, OrganizationId, ProjectId},
    job::Key,
    job_rule::{Rule, RuleOwner, RuleScope},
};

use super::fair::{Owner, Share};

/// What rules ask about a job, but for its fairness key.
pub(super) struct Subject {
    pub(super) organization_id: Option<OrganizationId>,
    pub(super) project_id: Option<ProjectId>,
    pub(super) account_id: AccountId,
    pub(super) job_type: Box<str>,
    pub(super) key: Option<Box<str>>,
}

impl Subject {
    /// Whose turns it takes: those of the organization; of the account, where the job belongs to no project.
    pub(super) fn tenant(&self) -> Uuid {
        self.organization_id.map_or_else(|| self.account_id.uuid(), OrganizationId::uuid)
    }

    /// Those whose rules may be about it.
    pub(super) fn owners(&self) -> impl Iterator<Item = RuleOwner> {
        let organization = self.organization_id.map(RuleOwner::Organization);
        let project = self.project_id.map(RuleOwner::Project);
        let account = self.project_id.is_none().then_some(RuleOwner::Account(self.account_id));
        [organization, project, account].into_iter().flatten()
    }

    /// Whether a rule of one of its owners is about it.
    pub(super) fn is_in(&self, scope: &RuleScope, share: &Share) -> bool {
        let of_type = match &scope.job_type {
            Some(job_type) => job_type.as_str() == &*self.job_type,
            // What the service does about other jobs, and tells others, is not meant by a rule that does not name it.
            None => !matches!(&*self.job_type, "webhook_delivery" | "job_control"),
        };
        let of_key = scope.key.as_ref().is_none_or(|key| self.key.as_deref() == Some(key.as_str()));
        let of_share = scope.fairness_key.as_ref().is_none_or(|key| *share == Share::new(Some(key.as_str())));
        of_type && of_key && of_share
    }
}

/// The rules that hold jobs back, by whose jobs they are about.
#[derive(Default)]
pub(super) struct Rules {
    owners: HashMap<RuleOwner, HashMap<Uuid, RuleScope>>,
}

impl Rules {
    /// Takes in a rule; whether it was not there.
    pub(super) fn insert(&mut self, id: Uuid, rule: &Rule) -> bool {
        let Some(owner) = rule.scope.owner() else { return false };
        self.owners.entry(owner).or_default().insert(id, rule.scope.clone()).is_none()
    }

    /// Forgets a rule; whether it was there.
    pub(super) fn remove(&mut self, id: Uuid, rule: &Rule) -> bool {
        let Some(owner) = rule.scope.owner() else { return false };
        let Some(rules) = self.owners.get_mut(&owner) else { return false };
        let is_known = rules.remove(&id).is_some();
        if rules.is_empty() {
            self.owners.remove(&owner);
        }
        is_known
    }

    /// The rules that are about a job.
    pub(super) fn of(&self, subject: &Subject, share: &Share) -> Vec<Uuid> {
        let rules = subject.owners().filter_map(|owner| self.owners.get(&owner)).flatten();
        rules.filter(|(_, scope)| subject.is_in(scope, share)).map(|(id, _)| *id).collect()
    }
}

/// Whether a rule may keep a job from starting.
pub(super) fn holds_back(rule: &Rule) -> bool {
    rule.paused || rule.running.is_some() || rule.rate.is_some()
}

/// Who gets the weight of a rule: an organization (or account), or one of its fairness keys.
pub(super) fn weighs(rule: &Rule) -> Option<Weighed> {
    let RuleScope { job_type: None, key: None, fairness_key, .. } = &rule.scope else { return None };
    let tenant = match rule.scope.owner()? {
        RuleOwner::Organization(organization_id) => organization_id.uuid(),
        RuleOwner::Account(account_id) => account_id.uuid(),
        RuleOwner::Project(_) => return None,
    };
    Some(match fairness_key.as_ref().map(Key::as_str) {
        None => Weighed::Tenant(tenant),
        Some(key) => Weighed::Share(Owner { tenant, share: Share::new(Some(key)) }),
    })
}

/// Who has a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Weighed {
    /// An organization, beside others.
    Tenant(Uuid),
    /// A fairness key, beside others of its organization.
    Share(Owner),
}
