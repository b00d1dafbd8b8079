//! How many rules for jobs an owner has. The views lag, so they are counted in a table of their own: a row is added with
//! the event after which a rule says something, and deleted with the one after which it says nothing.

use serde::Serialize;
use uuid::Uuid;
use workroom_domain::job_rule::{Rule, RuleOwner};

use super::codes::TOO_MANY_JOB_RULES;
use crate::application::{App, Change, Error};

/// Rules of an organization, a project or an account, at most. The dispatcher compares each job with them.
const LIMIT: i64 = 100;

/// The row of a rule as it stands after a change.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Slot {
    rule_id: Uuid,
    owner_id: Uuid,
    most: i64,
    /// Whether the rule says nothing any more.
    #[serde(skip)]
    is_free: bool,
}

impl Slot {
    /// The row of this rule, of as many as the owner may have. None for a rule without an owner.
    pub(super) fn limited(rule_id: Uuid, rule: &Rule) -> Option<Self> {
        let owner_id = match rule.scope.owner()? {
            RuleOwner::Organization(id) => id.uuid(),
            RuleOwner::Project(id) => id.uuid(),
            RuleOwner::Account(id) => id.uuid(),
        };
        Some(Self { rule_id, owner_id, most: LIMIT, is_free: rule.is_none() })
    }

    /// The row of this rule, however many there are.
    pub(super) fn unlimited(rule_id: Uuid, rule: &Rule) -> Option<Self> {
        Self::limited(rule_id, rule).map(|slot| Self { most: i64::MAX, ..slot })
    }

    /// Adds or deletes the row. It is refused only to a rule that said nothing before.
    pub(super) fn changes(&self) -> Result<Vec<Change>, Error> {
        if self.is_free {
            let delete = Change::new(
                "DELETE FROM job_rule_slots s USING jsonb_to_record($1) AS a (rule_id uuid)
                 WHERE s.rule_id = a.rule_id",
                self,
            )?;
            return Ok(vec![delete]);
        }
        // Who is counted must not be added to meanwhile.
        let turn = Change::new("SELECT pg_advisory_xact_lock(7770016, hashtext($1->>'owner_id'))", self)?;
        let insert = Change::new(
            "INSERT INTO job_rule_slots (rule_id, owner_id)
             SELECT a.rule_id, a.owner_id
             FROM jsonb_to_record($1) AS a (rule_id uuid, owner_id uuid, most bigint)
             WHERE EXISTS (SELECT FROM job_rule_slots s WHERE s.rule_id = a.rule_id)
                OR (SELECT count(*) FROM job_rule_slots s WHERE s.owner_id = a.owner_id) < a.most
             ON CONFLICT (rule_id) DO UPDATE SET owner_id = excluded.owner_id",
            self,
        )?;
        Ok(vec![turn, insert.or(|| TOO_MANY_JOB_RULES.into())])
    }
}

impl App {
    /// Deletes the rows of an organization or a project that was deleted, or of an account that was erased; or of all
    /// such.
    ///
    /// # Errors
    /// The database's.
    pub(in crate::application) async fn remove_job_rule_slots(&self, of: Option<Uuid>) -> Result<(), Error> {
        sqlx::query(
            "DELETE FROM job_rule_slots s USING events e
             WHERE e.aggregate_type IN ('organization', 'project', 'account') AND e.aggregate_id = s.owner_id::text
               AND e.event_type IN ('OrganizationDeleted', 'ProjectDeleted', 'AccountErased')
               AND ($1::uuid IS NULL OR s.owner_id = $1)",
        )
        .bind(of)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
