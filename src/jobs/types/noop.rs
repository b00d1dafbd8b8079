//! `noop`: does nothing, and so measures what everything around a job costs.

use futures::{FutureExt, future::BoxFuture};
use workroom_domain::job::Outcome;

use super::{Attempt, Broken, Ended, JobType};

/// Does nothing.
pub(super) struct Noop;

impl JobType for Noop {
    fn name(&self) -> &'static str {
        "noop"
    }

    fn run(&self, _: Attempt) -> BoxFuture<'_, Result<Ended, Broken>> {
        std::future::ready(Ok(Ended::Succeeded(Outcome::default()))).boxed()
    }
}
