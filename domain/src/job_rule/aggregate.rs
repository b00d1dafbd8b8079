//! The state of a rule for jobs, and its two functions.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{JobRuleEvent, Rate, Rule, RuleOwner, RuleScope, Running, Weight};
use crate::{
    Decide,
    aggregate::cqrs_aggregate,
    job::Key,
    redaction::{Texts, redactable},
};

/// A rule for jobs; `None` inside until something was set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRule(Option<Box<Rule>>);

/// What may be asked of a rule for jobs. Each names the scope, from which the rule's id is derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobRuleCommand {
    /// None of the jobs start from now on.
    Pause {
        /// The jobs that it is about.
        scope: RuleScope,
    },
    /// They start again.
    Resume {
        /// The jobs that it is about.
        scope: RuleScope,
    },
    /// Set the limits, or clear those that are none.
    Limit {
        /// The jobs that it is about.
        scope: RuleScope,
        /// What share of the workers they get.
        weight: Option<Weight>,
        /// How many of them run at a time at most.
        running: Option<Running>,
        /// How many of them start in a time at most.
        rate: Option<Rate>,
    },
}

impl JobRule {
    /// The rule of the scope, whether anything was set or not.
    pub fn rule(&self, scope: &RuleScope) -> Rule {
        self.0.as_deref().cloned().unwrap_or_else(|| Rule::none(scope.clone()))
    }

    fn tell_texts(&self, texts: &mut Texts) {
        if let Some(rule) = &self.0 {
            texts.add_some("key", rule.scope.key.as_ref().map(Key::as_str));
            texts.add_some("fairness_key", rule.scope.fairness_key.as_ref().map(Key::as_str));
        }
    }
}

impl Decide for JobRule {
    const TYPE: &'static str = "job_rule";
    const SHAPE: u32 = 1;
    type Command = JobRuleCommand;
    type Event = JobRuleEvent;
    type Refusal = Infallible;

    fn decide(&self, command: JobRuleCommand) -> Result<Vec<JobRuleEvent>, Infallible> {
        // The scope that is asked for: of the one that it has, keys may have been redacted.
        let (now, next) = match command {
            JobRuleCommand::Pause { scope } => {
                let now = self.rule(&scope);
                (now.clone(), Rule { paused: true, scope, ..now })
            }
            JobRuleCommand::Resume { scope } => {
                let now = self.rule(&scope);
                (now.clone(), Rule { paused: false, scope, ..now })
            }
            JobRuleCommand::Limit { scope, weight, running, rate } => {
                let now = self.rule(&scope);
                (now.clone(), Rule { scope, weight, running, rate, ..now })
            }
        };
        Ok(if next == now { vec![] } else { vec![JobRuleEvent::JobRuleChanged(Box::new(next))] })
    }

    fn evolve(&mut self, event: &JobRuleEvent) {
        match event {
            JobRuleEvent::JobRuleChanged(rule) => self.0 = Some(rule.clone()),
            JobRuleEvent::PayloadRedacted(redacted) => {
                if let Some(rule) = &mut self.0 {
                    rule.scope.redact(redacted);
                }
            }
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        match self.0.as_ref().and_then(|rule| rule.scope.owner()) {
            Some(RuleOwner::Organization(organization_id)) => organization_id.uuid(),
            Some(RuleOwner::Project(project_id)) => project_id.uuid(),
            Some(RuleOwner::Account(account_id)) => account_id.uuid(),
            None => id,
        }
    }

    fn weight(&self) -> usize {
        let Some(rule) = &self.0 else { return 0 };
        let keys = [&rule.scope.key, &rule.scope.fairness_key].into_iter().flatten().map(|key| key.as_str().len());
        keys.sum::<usize>() + rule.scope.job_type.as_ref().map_or(0, String::len) + size_of::<Rule>()
    }
}

cqrs_aggregate!(JobRule);
redactable!(JobRule, JobRuleEvent);
