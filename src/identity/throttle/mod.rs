//! How often something may be tried, and how much of it at a time.
//!
//! | | |
//! |---|---|
//! | [`Throttle`] | counts attempts over all instances |
//! | [`attempt`] | attempts at a password: which counts they meet |
//! | [`concurrency`] | how many are at work at one moment, in this process |

mod attempt;
mod concurrency;
mod store;

pub(super) use attempt::Claim;
pub(super) use concurrency::ConcurrencyLimits;
pub use store::{Charge, Refused, Rule, Throttle, Throttled};
