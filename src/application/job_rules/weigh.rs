//! Say what an organization gets of the workers, beside others.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::OrganizationId,
    job_rule::{JobRule, JobRuleCommand, Rule, RuleOwner, RuleScope, Weight},
    organization::Organization,
};

use super::{DecidedRule, set::rule_id, slots::Slot};
use crate::application::{Change, Command, Error, TableChange, Unit, codes::FORBIDDEN};

/// Say how many turns an organization gets for one of another. Only the operator may: each organization would choose
/// the largest. It is run with itself as the change of tables: the rule is counted, but no limit holds the operator.
#[derive(Debug)]
pub struct WeighOrganization {
    rule_id: Uuid,
    organization_id: OrganizationId,
    scope: RuleScope,
    weight: Weight,
    /// The row of the rule as the last attempt has decided it.
    slot: Mutex<Option<Slot>>,
}

impl WeighOrganization {
    /// For all jobs of this organization's projects.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn new(organization_id: OrganizationId, weight: Weight) -> Result<Self, Error> {
        let scope = RuleScope::all_of(RuleOwner::Organization(organization_id));
        Ok(Self { rule_id: rule_id(&scope)?, organization_id, scope, weight, slot: Mutex::default() })
    }
}

impl Command for WeighOrganization {
    type Reply = DecidedRule;

    fn lock_key(&self) -> Option<Uuid> {
        Some(self.rule_id)
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<DecidedRule, Error> {
        if unit.context().actor != Actor::System(SystemActor::Operator) {
            return Err(FORBIDDEN.into());
        }
        unit.read::<Organization>(self.organization_id).await?.state.active()?;
        let current = unit.read::<JobRule>(self.rule_id).await?;
        // Its admins have set the rest.
        let Rule { scope, running, rate, .. } = current.state.rule(&self.scope);
        // One turn is what everybody has.
        let weight = Some(self.weight).filter(|weight| weight.number() > 1);
        let decided = unit.decide(&current, JobRuleCommand::Limit { scope, weight, running, rate })?;
        let rule = decided.state.rule(&self.scope);
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Slot::unlimited(self.rule_id, &rule);
        Ok(DecidedRule { rule_id: self.rule_id, rule, version: decided.sequence })
    }
}

impl TableChange for WeighOrganization {
    fn changes(&self) -> Result<Vec<Change>, Error> {
        let slot = *self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.map_or_else(|| Ok(Vec::new()), |slot| slot.changes())
    }
}
