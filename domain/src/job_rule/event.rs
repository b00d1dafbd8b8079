//! What can have happened to a rule for jobs.

use serde::{Deserialize, Serialize};

use super::RuleScope;
use crate::{event::domain_event, redaction::PayloadRedacted};

/// A rule for jobs, as it is from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobRuleSettings))]
pub struct Rule {
    /// The jobs that it is about.
    pub scope: RuleScope,
    /// Whether none of them start.
    pub paused: bool,
    /// What share of the workers they get, beside that of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub weight: Option<Weight>,
    /// How many of them run at a time at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub running: Option<Running>,
    /// How many of them start in a time at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub rate: Option<Rate>,
}

impl Rule {
    /// The rule of a scope that nobody has set anything for.
    pub fn none(scope: RuleScope) -> Self {
        Self { scope, paused: false, weight: None, running: None, rate: None }
    }

    /// Whether it says nothing.
    pub fn is_none(&self) -> bool {
        !self.paused && self.weight.is_none() && self.running.is_none() && self.rate.is_none()
    }
}

/// A share of the workers: 1 to 100; 1 where nothing was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobWeight, minimum = 1, maximum = 100))]
#[serde(transparent)]
pub struct Weight(u32);

impl Weight {
    /// The largest.
    pub const LIMIT: u32 = 100;

    /// Checks the bounds.
    pub fn from_number(number: u32) -> Option<Self> {
        (1..=Self::LIMIT).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// How many jobs run at a time at most: 1 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunningJobs, minimum = 1, maximum = 10_000))]
#[serde(transparent)]
pub struct Running(u32);

impl Running {
    /// The largest.
    pub const LIMIT: u32 = 10_000;

    /// Checks the bounds.
    pub fn from_number(number: u32) -> Option<Self> {
        (1..=Self::LIMIT).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// How many jobs start in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = JobRate))]
pub struct Rate {
    /// How many jobs: 1 to 10,000.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10_000))]
    count: u32,
    /// In how many seconds: 1 to 86,400.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 86_400))]
    seconds: u32,
}

impl Rate {
    /// The largest number of jobs.
    pub const COUNT: u32 = 10_000;
    /// The longest time, in seconds.
    pub const SECONDS: u32 = 86_400;

    /// Checks the bounds.
    pub fn new(count: u32, seconds: u32) -> Option<Self> {
        let is_sound = (1..=Self::COUNT).contains(&count) && (1..=Self::SECONDS).contains(&seconds);
        is_sound.then_some(Self { count, seconds })
    }

    /// How many jobs.
    pub fn count(self) -> u32 {
        self.count
    }

    /// In how many seconds.
    pub fn seconds(self) -> u32 {
        self.seconds
    }
}

/// What can have happened to a rule for jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum JobRuleEvent {
    /// The rule is another one from now on. One that says nothing is gone.
    JobRuleChanged(Box<Rule>),
    /// What another event of it said was redacted.
    PayloadRedacted(Box<PayloadRedacted>),
}

domain_event!(JobRuleEvent { JobRuleChanged => "1", PayloadRedacted => "1" });
