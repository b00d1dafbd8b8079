//! The planner's statistics have samples of texts, also of texts that no table has any more. Behind redactions they are made anew.

use serde_json::json;
use sqlx::PgPool;
use tokio::time::{Duration, Instant};

use crate::background::{Activation, Context, Task};

/// The last redaction, if samples are older and the views show it.
const OUTDATED: &str = "
    SELECT last.position
    FROM (SELECT e.position FROM events e WHERE e.event_type = 'PayloadRedacted' ORDER BY e.position DESC LIMIT 1) AS last,
         redaction_statistics s
    WHERE last.position > s.analyzed_to
      AND NOT EXISTS (SELECT FROM projection_checkpoints c WHERE c.position < last.position)";

/// The tables that may have texts: of the log itself, payloads are not sampled.
const TABLES: &str = "
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname IN ('public', 'views') AND tablename NOT IN ('events', 'log_leaves', 'log_nodes') ORDER BY 1";

/// How long the tables are left alone once it was done: it reads a part of each.
const REST: Duration = Duration::from_mins(1);

/// Makes the statistics anew. Any number of processes may.
pub struct Statistics {
    pool: PgPool,
    rests_until: Option<Instant>,
}

impl Statistics {
    /// Of a database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, rests_until: None }
    }
}

impl Task for Statistics {
    async fn activate(&mut self, context: &Context) -> anyhow::Result<Activation> {
        if self.rests_until.is_some_and(|until| Instant::now() < until) {
            return Ok(Activation::idle());
        }
        let outdated: Option<i64> = sqlx::query_scalar(OUTDATED).fetch_optional(&self.pool).await?;
        let Some(position) = outdated else { return Ok(Activation::idle()) };
        let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&self.pool).await?;
        for table in &tables {
            if !context.may_go_on() {
                return Ok(Activation::idle());
            }
            sqlx::query("SELECT refresh_statistics($1::regclass)").bind(table).execute(&self.pool).await?;
        }
        sqlx::query("UPDATE redaction_statistics SET analyzed_to = GREATEST(analyzed_to, $1)")
            .bind(position)
            .execute(&self.pool)
            .await?;
        self.rests_until = Some(Instant::now() + REST);
        Ok(Activation::did(json!({"tables": tables.len(), "position": position})))
    }
}
