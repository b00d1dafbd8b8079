//! Folds events of rules for jobs into `views.job_rules`.

use workroom_domain::{
    Decide,
    event::DomainEventKind,
    job_rule::{JobRule, JobRuleEvent, Rate},
    redaction::Placeholder,
};

use crate::{
    Projection,
    changes::{Changes, Table},
    log::Recorded,
};

/// The projection behind `views.job_rules`.
pub struct JobRules;

const RULES: Table = Table::new("job_rules", &["id"]);

const KEYS: &[(&str, Placeholder)] = &[("key", Placeholder::Unique), ("fairness_key", Placeholder::Unique)];

impl Projection for JobRules {
    fn tables(&self) -> &'static [Table] {
        &[RULES]
    }

    fn reads(&self) -> &'static [&'static str] {
        &[JobRule::TYPE]
    }

    fn apply(&self, recorded: &Recorded, changes: &mut Changes) {
        let DomainEventKind::JobRule(event) = &recorded.event else { return };
        let id = recorded.aggregate_id;
        let rule = match event {
            JobRuleEvent::JobRuleChanged(rule) => rule,
            JobRuleEvent::PayloadRedacted(redacted) => {
                changes.change(&RULES, id).redact(redacted, KEYS).updated(recorded);
                return;
            }
        };
        let row = if recorded.sequence == 1 { changes.create(&RULES, id) } else { changes.change(&RULES, id) };
        // Each time: of the scope that the row has, keys may have been redacted.
        let scope = &rule.scope;
        row.set("organization_id", scope.organization_id).set("project_id", scope.project_id);
        row.set("account_id", scope.account_id).set("job_type", &scope.job_type);
        row.set("key", &scope.key).set("fairness_key", &scope.fairness_key);
        row.set("paused", rule.paused).set("weight", rule.weight).set("running", rule.running);
        row.set("rate_count", rule.rate.map(Rate::count));
        row.set("rate_seconds", rule.rate.map(Rate::seconds));
        row.set("in_force", !rule.is_none()).updated(recorded);
    }
}
