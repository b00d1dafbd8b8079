//! Deletes what has had its time: it serves nobody, and some of it is personal.
//!
//! To add a rule: a line in [`rules`]. Rows are deleted by the portion, each portion in a statement of its own, so that none
//! holds its locks for long. Any number of processes may do it.

use std::{collections::BTreeMap, time::Duration};

use sqlx::PgPool;
use tokio::time::Instant;

use super::task::{Activation, Context, Next, Task};
use crate::{event_store::receipts, identity};

/// How often the shortest-lived rows are deleted; no rule waits for less.
pub const SHORTEST_PERIOD: Duration = Duration::from_mins(1);

/// What is deleted when.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it deletes, in statuses and logs.
    pub name: &'static str,
    /// The table, unaliased.
    pub table: &'static str,
    /// Which rows, as SQL.
    pub condition: String,
    /// How many rows at a time, at most.
    pub portion: u32,
    /// How long after it was applied the rule is due again; at least [`SHORTEST_PERIOD`].
    pub period: Duration,
}

/// All that is deleted because its time is over.
pub fn rules() -> Vec<Rule> {
    let rule = |name, table, condition: &str, portion, minutes| Rule {
        name,
        table,
        condition: condition.to_owned(),
        portion,
        period: Duration::from_mins(minutes),
    };
    let age = |column, age: Duration| format!("{column} < now() - interval '{} seconds'", age.as_secs());
    vec![
        rule("receipts", "idempotency_receipts", &age("created_at", receipts::KEPT), 1000, 10),
        // What an earlier version kept of aggregates that never were.
        rule("snapshots", "aggregate_snapshots", "sequence = 0", 1000, 10),
        // Of jobs that were taken away, or whose worker died after the outcome.
        rule("job_leases", "job_leases", "expires_at < now() - interval '1 hour'", 1000, 10),
        rule(
            "job_dispatches",
            "job_dispatches",
            "dispatched_at < now() - interval '1 hour' AND NOT EXISTS
                 (SELECT FROM jobs j WHERE j.id = job_dispatches.job_id AND j.status IN ('pending', 'running'))",
            1000,
            10,
        ),
        rule("mails", "mails", "expires_at < now() - interval '7 days'", 1000, 10),
        // Whom they went to; none of them can be accepted any more.
        rule("invitations", "invitations", "expires_at < now() - interval '1 day'", 1000, 10),
        // An ended session is listed nowhere; its row only tells an old refresh token from one that never was.
        rule(
            "sessions",
            "sessions",
            "expires_at < now() - interval '1 day' OR ended_at < now() - interval '30 days'",
            1000,
            5,
        ),
        rule("personal_tokens", "personal_tokens", "expires_at < now() - interval '30 days'", 1000, 5),
        rule("mail_tokens", "mail_tokens", "expires_at < now()", 1000, 5),
        rule("webhook_messages", "webhook_messages", "received_at < now() - interval '1 day'", 1000, 5),
        rule("ended_credentials", "ended_credentials", &age("ended_at", identity::ENDED_CREDENTIALS_KEPT), 5000, 5),
        rule("throttles", "throttles", "free_at < now()", 5000, 5),
        // One that rests on what has ended must be gone before it is forgotten that it has.
        rule(
            "tickets",
            "realtime_tickets",
            "expires_at < now() OR EXISTS (
                 SELECT FROM ended_credentials e WHERE e.id IN (credential_id, account_id, rests_on))",
            5000,
            1,
        ),
    ]
}

impl Rule {
    /// The statement that deletes a portion of `$1` rows. The condition holds for the rows that are found, and again for each
    /// as it is when it is deleted.
    fn statement(&self) -> String {
        let Self { table, condition, .. } = self;
        format!(
            "DELETE FROM {table}
             WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {condition} LIMIT $1)) AND ({condition})"
        )
    }

    /// Deletes portion by portion until nothing is left, or the process stops; returns the number of rows.
    async fn apply(&self, pool: &PgPool, context: &Context) -> Result<u64, sqlx::Error> {
        let statement = self.statement();
        let mut all = 0;
        loop {
            let deleted = sqlx::query(&statement).bind(i64::from(self.portion)).execute(pool).await?.rows_affected();
            all += deleted;
            if deleted < u64::from(self.portion) || !context.may_go_on() {
                return Ok(all);
            }
        }
    }
}

/// Applies each rule when it is due.
pub struct Cleanup {
    pool: PgPool,
    rules: Vec<(Rule, Instant)>,
}

impl Cleanup {
    /// All rules; each is due at once.
    pub fn new(pool: PgPool) -> Self {
        let now = Instant::now();
        Self { pool, rules: rules().into_iter().map(|rule| (rule, now)).collect() }
    }
}

impl Task for Cleanup {
    /// A rule that fails stays due and keeps no other from being applied.
    async fn activate(&mut self, context: &Context) -> anyhow::Result<Activation> {
        let mut deleted = BTreeMap::new();
        let mut failure = None;
        for (rule, due) in &mut self.rules {
            if *due > Instant::now() || !context.may_go_on() {
                continue;
            }
            match rule.apply(&self.pool, context).await {
                Ok(rows) => {
                    *due = Instant::now() + rule.period;
                    deleted.insert(rule.name, rows);
                }
                Err(error) => {
                    let error = anyhow::Error::new(error).context(format!("old {} could not be deleted", rule.name));
                    failure.get_or_insert(error);
                }
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        let due = self.rules.iter().map(|(_, due)| *due).min().unwrap_or_else(Instant::now);
        Ok(Activation::did(deleted).then(Next::In(due.saturating_duration_since(Instant::now()))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rule_has_its_name_and_none_comes_too_often() {
        let rules = rules();
        let names: BTreeSet<_> = rules.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), rules.len());
        assert!(rules.iter().all(|rule| rule.period >= SHORTEST_PERIOD && rule.portion > 0));
    }

    #[test]
    fn a_row_is_deleted_only_if_it_is_still_past_its_time() {
        let rule = Rule { condition: "a < 1 OR b".to_owned(), ..rules().remove(0) };
        assert!(rule.statement().ends_with("WHERE a < 1 OR b LIMIT $1)) AND (a < 1 OR b)"), "{}", rule.statement());
    }
}
