//! A rule for jobs: whether those of a scope are paused, how many of them run at a time, how many start in a time,
//! and what share of the workers they get.
//!
//! Its id is derived from the scope, so that a scope has one rule. The dispatcher keeps it when it chooses what runs
//! next; jobs that run are not touched.

mod aggregate;
mod event;
mod scope;

pub use aggregate::{JobRule, JobRuleCommand};
pub use event::{JobRuleEvent, Rate, Rule, Running, Weight};
pub use scope::{RuleOwner, RuleScope};
