//! Set a rule for jobs.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;
use workroom_domain::job_rule::{JobRule, JobRuleCommand, Rate, Rule, RuleScope, Running, Weight};

use super::{authorize, slots::Slot};
use crate::application::{Change, Command, Error, TableChange, Unit};

/// Set a rule for jobs. It is run with itself as the change of tables: how many an owner has is counted there.
#[derive(Debug)]
pub struct SetJobRule {
    rule_id: Uuid,
    scope: RuleScope,
    change: RuleChange,
    /// The row of the rule as the last attempt has decided it.
    slot: Mutex<Option<Slot>>,
}

/// What is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// None of the jobs start from now on.
    Pause,
    /// They start again.
    Resume,
    /// The limits are these from now on.
    Limit {
        /// What share of the workers they get, where they are those of a fairness key.
        weight: Option<Weight>,
        /// How many of them run at a time at most.
        running: Option<Running>,
        /// How many of them start in a time at most.
        rate: Option<Rate>,
    },
}

/// A rule as it stands after the change.
#[derive(Clone, Debug)]
pub struct DecidedRule {
    /// The id of the rule.
    pub rule_id: Uuid,
    /// What it says.
    pub rule: Rule,
    /// Sequence of its last event; 0 where nothing was ever set.
    pub version: i64,
}

impl SetJobRule {
    /// For the jobs of this scope.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn new(scope: RuleScope, change: RuleChange) -> Result<Self, Error> {
        let rule_id = rule_id(&scope)?;
        Ok(Self { rule_id, scope, change, slot: Mutex::default() })
    }

    fn command(&self, current: &Rule) -> JobRuleCommand {
        let scope = self.scope.clone();
        // What an organization gets beside others is the operator's to say, and stays.
        let is_operators = scope.fairness_key.is_none();
        match self.change {
            RuleChange::Pause => JobRuleCommand::Pause { scope },
            RuleChange::Resume => JobRuleCommand::Resume { scope },
            RuleChange::Limit { weight, running, rate } => {
                let weight = if is_operators { current.weight } else { weight };
                JobRuleCommand::Limit { scope, weight, running, rate }
            }
        }
    }
}

/// The id of the rule of a scope (RFC 9562, version 5): whoever sets something for the same jobs meets there.
pub(super) fn rule_id(scope: &RuleScope) -> Result<Uuid, Error> {
    const NAMESPACE: Uuid = Uuid::from_u128(0x2b9c_07f4_3d55_4c1e_9a6d_51b0_8e27_c3f1);
    let name = serde_json::to_vec(scope).map_err(Error::failure)?;
    Ok(Uuid::new_v5(&NAMESPACE, &name))
}

impl Command for SetJobRule {
    type Reply = DecidedRule;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.rule_id)
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<DecidedRule, Error> {
        authorize(unit, &self.scope).await?;
        let current = unit.read::<JobRule>(self.rule_id).await?;
        let decided = unit.decide(&current, self.command(&current.state.rule(&self.scope)))?;
        let rule = decided.state.rule(&self.scope);
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Slot::limited(self.rule_id, &rule);
        Ok(DecidedRule { rule_id: self.rule_id, rule, version: decided.sequence })
    }
}

impl TableChange for SetJobRule {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let slot = *self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.map_or_else(|| Ok(Vec::new()), |slot| slot.changes())
    }
}

#[cfg(test)]
mod tests {
    use workroom_domain::{
        ids::{OrganizationId, ProjectId},
        job::Key,
        job_rule::RuleOwner,
    };

    use super::*;

    #[test]
    fn each_scope_has_an_id_of_its_own_that_stays() {
        let id = |scope: &RuleScope| rule_id(scope).expect("an id");
        let of = |owner| RuleScope::all_of(owner);
        let organization = of(RuleOwner::Organization(OrganizationId(Uuid::from_u128(1))));
        let project = of(RuleOwner::Project(ProjectId(Uuid::from_u128(1))));
        let key = Key::parse("k").ok();
        let keyed = RuleScope { key: key.clone(), ..project.clone() };
        let shared = RuleScope { fairness_key: key, ..project.clone() };
        let ids = [&organization, &project, &keyed, &shared].map(id);
        assert_eq!(std::collections::HashSet::from(ids).len(), 4);
        assert_eq!(ids[0], id(&organization));
    }
}
