//! `workroom jobs …`

use anyhow::Context as _;
use clap::{Subcommand, value_parser};
use uuid::Uuid;
use workroom_domain::{
    actor::{Actor, SystemActor},
    ids::OrganizationId,
    job::Key,
    job_rule::{Rule, RuleOwner, Weight},
};
use workroom_projections::{job_rules, progress::Progress};

use super::output;
use crate::{
    application::{App, Context, job_rules::WeighOrganization},
    config::Config,
    database::Database,
    event_store::{AppendLimits, EventLog},
};

/// What to do about jobs.
#[derive(Subcommand)]
pub enum JobsCommand {
    /// Say how many turns at the workers an organization gets for one of another.
    Weight {
        /// The organization's id.
        #[arg(long)]
        organization: Uuid,
        /// How many turns: 1 (what everybody has) to 100.
        #[arg(long, value_parser = value_parser!(u32).range(1..=i64::from(Weight::LIMIT)))]
        weight: u32,
    },
    /// List the rules for jobs that are in force: limits, pauses and weights.
    Rules {
        /// Only those of this organization.
        #[arg(long)]
        organization: Option<Uuid>,
    },
}

/// Sets a weight, or lists rules.
///
/// # Errors
/// There is no such organization; the database's.
pub async fn run(command: JobsCommand) -> anyhow::Result<()> {
    let config = Config::load()?;
    let database = Database::for_command(&config).await?;
    let pool = database.pool(4);
    match command {
        JobsCommand::Weight { organization, weight } => {
            let weight = Weight::from_number(weight).context("a weight is from 1 to 100")?;
            let log = EventLog::open(pool.clone(), AppendLimits::default()).await?;
            let app = App::new(pool.clone(), log, Progress::new(pool), config.identity.email_proof());
            let context = Context::new(Actor::System(SystemActor::Operator), Uuid::now_v7());
            let command = WeighOrganization::new(OrganizationId(organization), weight)?;
            app.run_with_tables(&context, &command, &command).await?;
            output::line(&format!("organization {organization} has the weight {}", weight.number()))
        }
        JobsCommand::Rules { organization } => {
            let owner = organization.map(|id| RuleOwner::Organization(OrganizationId(id)));
            let rules = job_rules::all(&pool).await?.into_iter().map(|(_, rule)| rule);
            let asked = rules.filter(|rule| owner.is_none() || rule.scope.owner() == owner);
            let mut lines: Vec<String> = asked.map(|rule| told(&rule)).collect();
            lines.sort();
            lines.iter().try_for_each(|line| output::line(line))
        }
    }
}

/// A rule, in one line.
fn told(rule: &Rule) -> String {
    let scope = &rule.scope;
    let owner = scope.owner().map(|owner| match owner {
        RuleOwner::Organization(id) => format!("organization {}", id.uuid()),
        RuleOwner::Project(id) => format!("project {}", id.uuid()),
        RuleOwner::Account(id) => format!("account {}", id.uuid()),
    });
    // Quoted and escaped: they are others' words.
    let key = |name: &str, key: &Option<Key>| key.as_ref().map(|key| format!("{name} {:?}", key.as_str()));
    let parts = [
        owner,
        scope.job_type.as_ref().map(|job_type| format!("type {job_type:?}")),
        key("key", &scope.key),
        key("fairness_key", &scope.fairness_key),
        rule.paused.then(|| "paused".to_owned()),
        rule.weight.map(|weight| format!("weight {}", weight.number())),
        rule.running.map(|running| format!("running {}", running.number())),
        rule.rate.map(|rate| format!("rate {} in {} s", rate.count(), rate.seconds())),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}
