//! Counting attempts to deliver that failed, without a success in between: a webhook that only fails is disabled. What
//! the service itself could not do is no failed attempt: it is put off, or interrupted.

use std::collections::BTreeMap;

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use workroom_domain::{ids::WebhookId, webhook::DisableReason};

use super::{DisableWebhook, deliver::service};
use crate::application::{App, Error};

/// How many attempts in a row fail before their webhook is disabled …
const MANY: i32 = 10;
/// … and over how long at least: an address that is away for a while comes back.
const LONG: Duration = Duration::DAY;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub(super) struct EndedAttempt {
    /// The webhook.
    pub webhook_id: Uuid,
    /// The place of the end in the log.
    pub position: i64,
    /// Whether it failed.
    pub has_failed: bool,
    /// When.
    pub at: OffsetDateTime,
}

/// Failures of a webhook that come in a row.
#[derive(Clone, Copy, Debug, FromRow)]
struct Failures {
    id: Uuid,
    failed_in_row: i32,
    failing_since: Option<OffsetDateTime>,
}

impl Failures {
    /// Whether it is time to give up, at the moment of the last failure.
    fn are_too_many(&self, at: OffsetDateTime) -> bool {
        self.failed_in_row >= MANY && self.failing_since.is_some_and(|since| at - since >= LONG)
    }
}

/// Each end is counted once, however often it is read: a row remembers up to where it has counted.
const COUNT: &str = "
    WITH ended AS (
        SELECT n.*
        FROM unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::timestamptz[]) AS n (id, position, has_failed, at)
        JOIN webhook_endpoints e ON e.id = n.id AND n.position > e.counted_to
    ), success AS (
        SELECT id, max(position) AS last, COALESCE(max(position) FILTER (WHERE NOT has_failed), 0) AS position
        FROM ended GROUP BY id
    ), failed AS (
        SELECT s.id, s.last, s.position > 0 AS has_success, count(n.id)::int AS number, min(n.at) AS since
        FROM success s LEFT JOIN ended n ON n.id = s.id AND n.has_failed AND n.position > s.position
        GROUP BY s.id, s.last, s.position
    )
    UPDATE webhook_endpoints e
    SET failed_in_row = CASE WHEN f.has_success THEN 0 ELSE e.failed_in_row END + f.number,
        failing_since = CASE WHEN f.has_success THEN f.since ELSE COALESCE(e.failing_since, f.since) END,
        counted_to = f.last
    FROM failed f WHERE e.id = f.id
    RETURNING e.id, e.failed_in_row, e.failing_since";

async fn count(pool: &PgPool, ended: &[EndedAttempt]) -> Result<Vec<Failures>, sqlx::Error> {
    sqlx::query_as(COUNT)
        .bind(ended.iter().map(|end| end.webhook_id).collect::<Vec<_>>())
        .bind(ended.iter().map(|end| end.position).collect::<Vec<_>>())
        .bind(ended.iter().map(|end| end.has_failed).collect::<Vec<_>>())
        .bind(ended.iter().map(|end| end.at).collect::<Vec<_>>())
        .fetch_all(pool)
        .await
}

impl App {
    /// Counts how attempts ended, and disables webhooks that only fail.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn count_ended_attempts(&self, ended: &[EndedAttempt]) -> Result<(), Error> {
        if ended.is_empty() {
            return Ok(());
        }
        let last: BTreeMap<Uuid, OffsetDateTime> = ended.iter().map(|end| (end.webhook_id, end.at)).collect();
        for failures in count(self.pool(), ended).await? {
            let is_over = last.get(&failures.id).is_some_and(|at| failures.are_too_many(*at));
            if is_over {
                let disable = DisableWebhook { webhook_id: WebhookId(failures.id), reason: DisableReason::Failing };
                self.run_unseen(&service(), &disable).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_given_up_after_many_failures_over_a_long_time_and_not_before() {
        let since = OffsetDateTime::UNIX_EPOCH;
        let failures = |failed_in_row| Failures { id: Uuid::nil(), failed_in_row, failing_since: Some(since) };
        assert!(failures(10).are_too_many(since + Duration::DAY));
        assert!(!failures(9).are_too_many(since + Duration::DAY));
        assert!(!failures(1000).are_too_many(since + Duration::hours(23)));
        assert!(!Failures { failing_since: None, ..failures(10) }.are_too_many(since + Duration::DAY));
    }
}
