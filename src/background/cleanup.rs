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
    /// Where they are looked for, as a `FROM` clause with the table; none: in the whole table.
    pub found_from: Option<String>,
    /// How many rows at a time, at most.
    pub portion: u32,
    /// How long after it was applied the rule is due again; at least [`SHORTEST_PERIOD`].
    pub period: Duration,
}

/// All that is deleted because its time is over.
pub fn rules(job_data_days: u32) -> Vec<Rule> {
    let rule = |name, table, condition: &str, portion, minutes| Rule {
        name,
        table,
        condition: condition.to_owned(),
        found_from: None,
        portion,
        period: Duration::from_mins(minutes),
    };
    let age = |column, age: Duration| format!("{column} < now() - interval '{} seconds'", age.as_secs());
    let mut rules = vec![
        rule("receipts", "idempotency_receipts", &age("created_at", receipts::KEPT), 1000, 10),
        // What an earlier version kept of aggregates that never were.
        rule("snapshots", "aggregate_snapshots", "sequence = 0", 1000, 10),
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
        // Of deleted projects; what they were can still be folded from the log.
        rule(
            "project_states",
            "project_states",
            "EXISTS (SELECT FROM projects p WHERE p.id = project_states.project_id AND p.deleted)",
            10,
            10,
        ),
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
    ];
    rules.extend(late());
    rules.extend(redacted());
    rules.extend(retained());
    if job_data_days > 0 {
        for (table, at) in [
            ("job_inputs", "created_at"),
            ("job_output_pieces", "created_at"),
            ("job_artifacts", "created_at"),
            ("job_progress", "at"),
        ] {
            let condition = format!(
                "{at} < now() - interval '{job_data_days} days' AND NOT EXISTS
                     (SELECT FROM jobs j WHERE j.id = {table}.job_id AND j.status IN ('pending', 'running'))"
            );
            rules.push(rule(table, table, &condition, 1000, 10));
        }
        // What addresses answered; that it was sent, the log tells.
        let condition = format!(
            "at < now() - interval '{job_data_days} days' AND NOT EXISTS
                 (SELECT FROM jobs j WHERE j.id = webhook_responses.job_id AND j.status IN ('pending', 'running'))"
        );
        rules.push(rule("webhook_responses", "webhook_responses", &condition, 1000, 10));
    }
    rules
}

/// What was stored of a job while it was deleted, or its project was, or its account was erased; or a moment later. Also what
/// should have gone with them, and did not.
fn late() -> impl Iterator<Item = Rule> {
    [
        ("late_output", "job_output_pieces"),
        ("late_artifacts", "job_artifacts"),
        ("late_progress", "job_progress"),
        ("late_inputs", "job_inputs"),
    ]
    .into_iter()
    .map(|(name, table)| Rule {
        name,
        table,
        // Each row is looked up by its job's id: with EXISTS, Postgres may read all jobs, or all of the log, at once.
        condition: format!(
            "COALESCE(
                 (SELECT p.deleted IS TRUE OR (j.project_id IS NULL AND a.id IS NULL) FROM jobs j
                  LEFT JOIN projects p ON p.id = j.project_id LEFT JOIN accounts a ON a.id = j.submitted_by
                  WHERE j.id = {table}.job_id),
                 (SELECT count(*) > 0 FROM events e WHERE e.aggregate_type = 'job'
                  AND e.aggregate_id = {table}.job_id::text AND e.event_type = 'JobDeleted'))"
        ),
        // An index has these events by their time: what ended before is not looked at. OFFSET keeps to this order.
        found_from: Some(format!(
            "(SELECT e.event_type, e.aggregate_id FROM events e
              WHERE e.event_type IN ('ProjectDeleted', 'AccountErased', 'JobDeleted')
                AND e.recorded_at > now() - interval '7 days') AS gone
             CROSS JOIN LATERAL (
                 SELECT gone.aggregate_id::uuid AS id WHERE gone.event_type = 'JobDeleted'
                 UNION ALL
                 SELECT j.id FROM jobs j WHERE gone.event_type = 'ProjectDeleted' AND j.project_id = gone.aggregate_id::uuid
                 UNION ALL
                 SELECT j.id FROM jobs j WHERE gone.event_type = 'AccountErased' AND j.project_id IS NULL
                     AND j.submitted_by = gone.aggregate_id::uuid
                 OFFSET 0) AS ended
             CROSS JOIN LATERAL (
                 SELECT t.ctid, t.job_id FROM {table} t WHERE t.job_id = ended.id OFFSET 0) AS {table}"
        )),
        portion: 1000,
        // All jobs of what has ended of late are looked at.
        period: Duration::from_hours(1),
    })
}

/// What was stored of a job behind its redaction, by an attempt that had started before. The functions that store keep
/// that out: this is for what they did not see.
fn redacted() -> impl Iterator<Item = Rule> {
    [
        ("redacted_output", "job_output_pieces"),
        ("redacted_artifacts", "job_artifacts"),
        ("redacted_progress", "job_progress"),
    ]
    .into_iter()
    .map(|(name, table)| Rule {
        name,
        table,
        condition: format!(
            "(SELECT COALESCE(max(e.sequence) FILTER (WHERE e.event_type = 'PayloadRedacted')
                              > max(e.sequence) FILTER (WHERE (e.payload->>'attempt')::int = {table}.attempt), false)
              FROM events e
              WHERE e.aggregate_type = 'job' AND e.aggregate_id = {table}.job_id::text
                AND e.event_type IN ('JobStarted', 'PayloadRedacted'))"
        ),
        // An index has the redactions of jobs by their time.
        found_from: Some(format!(
            "events late JOIN {table} ON {table}.job_id = late.aggregate_id::uuid AND late.aggregate_type = 'job'
                 AND late.event_type = 'PayloadRedacted' AND late.recorded_at > now() - interval '7 days'"
        )),
        portion: 1000,
        period: Duration::from_mins(10),
    })
}

/// What an organization has settled for the jobs of its projects: the days count from when the log recorded a job's end; its worker's
/// clock may be wrong. Whether that is its end, and whether that is still settled, the log knows: what is deleted does not come back,
/// so a job and an organization count only as far as their views show all that the log has of them. One that lags does not show yet
/// that the job is done again, or the days lifted. One that an earlier version wrote may tell of an end before the job was done again.
fn retained() -> impl Iterator<Item = Rule> {
    [
        ("retained_output", "job_output_pieces", "job_output_days", 5000, ""),
        // Some are megabytes.
        ("retained_artifacts", "job_artifacts", "job_output_days", 1000, ""),
        ("retained_progress", "job_progress", "job_output_days", 5000, ""),
        // Who has a job done again keeps this anew, and may have done so since the log was read here.
        (
            "retained_code",
            "job_inputs",
            "job_code_days",
            5000,
            " AND job_inputs.created_at < now() - make_interval(days => o.job_code_days)",
        ),
    ]
    .into_iter()
    .map(|(name, table, days, portion, came_before)| Rule {
        name,
        table,
        condition: format!(
            "COALESCE((SELECT j.status NOT IN ('pending', 'running')
                  AND j.ended_at < now() - make_interval(days => o.{days})
                  AND j.version = (SELECT e.sequence FROM events e
                                   WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.id::text
                                   ORDER BY e.sequence DESC LIMIT 1)
                  AND (SELECT count(*) FILTER (WHERE e.event_type = 'JobRedriven' AND e.recorded_at > j.ended_at)
                       FROM events e WHERE e.aggregate_type = 'job' AND e.aggregate_id = j.id::text) = 0
                  AND o.version = (SELECT e.sequence FROM events e
                                   WHERE e.aggregate_type = 'organization' AND e.aggregate_id = o.id::text
                                   ORDER BY e.sequence DESC LIMIT 1)
              FROM jobs j JOIN organizations o ON o.id = j.organization_id
              WHERE j.id = {table}.job_id AND o.{days} > 0{came_before}), false)"
        ),
        // From the organizations that have settled it: nobody else's rows are looked at. OFFSET keeps to this order.
        found_from: Some(format!(
            "organizations settled CROSS JOIN LATERAL (
                 SELECT j.id FROM jobs j WHERE j.organization_id = settled.id
                 AND j.ended_at < now() - make_interval(days => settled.{days}) OFFSET 0) AS ended
             JOIN {table} ON {table}.job_id = ended.id AND settled.{days} > 0"
        )),
        portion,
        period: Duration::from_hours(1),
    })
}

impl Rule {
    /// The statement that deletes a portion of `$1` rows. The condition holds for the rows that are found, and again for each
    /// as it is when it is deleted.
    fn statement(&self) -> String {
        let Self { table, condition, found_from, .. } = self;
        let from = found_from.as_deref().unwrap_or(table);
        format!(
            "DELETE FROM {table}
             WHERE ctid = ANY (ARRAY(SELECT {table}.ctid FROM {from} WHERE {condition} LIMIT $1)) AND ({condition})"
        )
    }

    /// Deletes portion by portion until nothing is left, or the process stops; returns the number of rows.
    async fn apply(&self, pool: &PgPool, context: &Context) -> Result<u64, sqlx::Error> {
        let statement = self.statement();
        let mut all = 0;
        loop {
            let deleted = sqlx::query(&statement).bind(i64::from(self.portion)).execute(pool).await?.rows_affected();
            all += deleted;
            // What is found from elsewhere may be found twice: fewer than a portion does not mean that these were all.
            let is_last = if self.found_from.is_some() { deleted == 0 } else { deleted < u64::from(self.portion) };
            if is_last || !context.may_go_on() {
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
    pub fn new(pool: PgPool, job_data_days: u32) -> Self {
        let now = Instant::now();
        Self { pool, rules: rules(job_data_days).into_iter().map(|rule| (rule, now)).collect() }
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
        let rules = rules(30);
        let names: BTreeSet<_> = rules.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), rules.len());
        assert!(rules.iter().all(|rule| rule.period >= SHORTEST_PERIOD && rule.portion > 0));
    }

    #[test]
    fn a_row_is_deleted_only_if_it_is_still_past_its_time() {
        let condition = || "a < 1 OR b".to_owned();
        let rule = Rule { condition: condition(), ..rules(0).remove(0) };
        assert!(rule.statement().ends_with("WHERE a < 1 OR b LIMIT $1)) AND (a < 1 OR b)"), "{}", rule.statement());
        let rule = Rule { condition: condition(), found_from: Some("c JOIN t ON d".to_owned()), ..rule };
        let found = ".ctid FROM c JOIN t ON d WHERE a < 1 OR b LIMIT $1)) AND (a < 1 OR b)";
        assert!(rule.statement().ends_with(found), "{}", rule.statement());
    }
}
