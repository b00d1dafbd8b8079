//! Questions about rules for jobs.

use sqlx::PgPool;
use sqlx_macros::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, OrganizationId, ProjectId},
    job::Key,
    job_rule::{Rate, Rule, RuleOwner, RuleScope, Running, Weight},
};

use crate::page::{Listed, Page};

/// A rule for jobs that is in force.
#[derive(Clone, Debug, FromRow)]
pub struct JobRuleRow {
    /// Id of the rule; rules are listed by it.
    pub id: Uuid,
    /// The organization whose jobs it is about.
    pub organization_id: Option<Uuid>,
    /// The project whose jobs it is about.
    pub project_id: Option<Uuid>,
    /// The account whose own jobs it is about.
    pub account_id: Option<Uuid>,
    /// Only jobs of this type.
    pub job_type: Option<String>,
    /// Only jobs with this key.
    pub key: Option<String>,
    /// Only jobs with this fairness key.
    pub fairness_key: Option<String>,
    /// Whether none of them start.
    pub paused: bool,
    /// What share of the workers they get.
    pub weight: Option<i32>,
    /// How many of them run at a time at most.
    pub running: Option<i32>,
    /// How many of them start in a time at most.
    pub rate_count: Option<i32>,
    /// That time, in seconds.
    pub rate_seconds: Option<i32>,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Sequence of its last event.
    pub version: i64,
}

impl JobRuleRow {
    /// The rule.
    pub fn rule(&self) -> Rule {
        let key = |key: &Option<String>| key.as_deref().and_then(|key| Key::parse(key).ok());
        let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
        let rate = number(self.rate_count).zip(number(self.rate_seconds));
        Rule {
            scope: RuleScope {
                organization_id: self.organization_id.map(OrganizationId),
                project_id: self.project_id.map(ProjectId),
                account_id: self.account_id.map(AccountId),
                job_type: self.job_type.clone(),
                key: key(&self.key),
                fairness_key: key(&self.fairness_key),
            },
            paused: self.paused,
            weight: number(self.weight).and_then(Weight::from_number),
            running: number(self.running).and_then(Running::from_number),
            rate: rate.and_then(|(count, seconds)| Rate::new(count, seconds)),
        }
    }
}

const SELECT: &str = "SELECT id, organization_id, project_id, account_id, job_type, key, fairness_key, paused, weight,
    running, rate_count, rate_seconds, updated_at, version FROM job_rules WHERE in_force";

fn column(owner: RuleOwner) -> (&'static str, Uuid) {
    match owner {
        RuleOwner::Organization(id) => ("organization_id", id.uuid()),
        RuleOwner::Project(id) => ("project_id", id.uuid()),
        RuleOwner::Account(id) => ("account_id", id.uuid()),
    }
}

/// All rules that are in force, with their ids.
pub async fn all(pool: &PgPool) -> Result<Vec<(Uuid, Rule)>, sqlx::Error> {
    let rows: Vec<JobRuleRow> = sqlx::query_as(SELECT).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| (row.id, row.rule())).collect())
}

/// The rules for the jobs of an owner.
pub async fn list(pool: &PgPool, owner: RuleOwner, page: Page) -> Result<Listed<JobRuleRow>, sqlx::Error> {
    let (column, id) = column(owner);
    let rows = sqlx::query_as(&format!("{SELECT} AND {column} = $1 AND id > $2 ORDER BY id LIMIT $3 OFFSET $4"))
        .bind(id)
        .bind(page.after.unwrap_or_default())
        .bind(page.limit + 1)
        .bind(page.skip)
        .fetch_all(pool)
        .await?;
    Ok(Listed::from_one_more(rows, page, |row: &JobRuleRow| row.id))
}
