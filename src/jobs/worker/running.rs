//! What a worker has in its hands.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;
use workroom_domain::ids::JobId;

use super::output::Output;
use crate::jobs::pool::{PerPool, Pool};

/// What a worker runs, or is about to.
#[derive(Default)]
pub(super) struct Running(Mutex<HashMap<JobId, Run>>);

/// An attempt in a worker's hands.
pub(super) struct Run {
    attempt: u32,
    pool: Pool,
    stage: Stage,
    stop: CancellationToken,
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Whether the log lets it start is not known yet.
    Starting,
    /// The same, and [`Running::look`] has left it out.
    LeftOut,
    /// The log says that it runs.
    Started,
}

/// The attempt of a job that is here already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) attempt: u32,
    /// Whether the log says that it runs.
    pub(super) has_started: bool,
}

impl Run {
    pub(super) fn new(attempt: u32, pool: Pool, stop: CancellationToken, output: Output) -> Self {
        Self { attempt, pool, stage: Stage::Starting, stop, output }
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job in.
    ///
    /// # Errors
    /// The attempt of it that is here already: a message may come twice, or before the last attempt has ended here.
    pub(super) fn enter(&self, job_id: JobId, run: Run) -> Result<(), Known> {
        match self.lock().entry(job_id) {
            Entry::Occupied(known) => {
                let Run { attempt, stage, .. } = *known.get();
                Err(Known { attempt, has_started: stage == Stage::Started })
            }
            Entry::Vacant(free) => {
                free.insert(run);
                Ok(())
            }
        }
    }

    /// The log says that the job runs. Returns whether to look again: it may have been cancelled since the log said so,
    /// and the look that this caused left it out, because it was not known to run.
    pub(super) fn starts(&self, job_id: JobId) -> bool {
        let mut runs = self.lock();
        let Some(run) = runs.get_mut(&job_id) else { return false };
        std::mem::replace(&mut run.stage, Stage::Started) == Stage::LeftOut
    }

    pub(super) fn leave(&self, job_id: JobId) {
        self.lock().remove(&job_id);
    }

    /// What the log says that it runs: to be compared with what the log says by now.
    pub(super) fn look(&self) -> Vec<(JobId, u32)> {
        let (mut started, mut runs) = (Vec::new(), self.lock());
        for (job_id, run) in &mut *runs {
            match run.stage {
                Stage::Started => started.push((*job_id, run.attempt)),
                Stage::Starting | Stage::LeftOut => run.stage = Stage::LeftOut,
            }
        }
        started
    }

    /// How many slots are taken.
    pub(super) fn slots(&self) -> PerPool<usize> {
        let mut slots = PerPool::default();
        for run in self.lock().values() {
            slots[run.pool] += 1;
        }
        slots
    }

    /// What is printed.
    pub(super) fn outputs(&self) -> Vec<Output> {
        self.lock().values().map(|run| run.output.clone()).collect()
    }

    /// Stops an attempt, if it still runs.
    pub(super) fn stop(&self, job_id: JobId, attempt: u32) {
        if let Some(run) = self.lock().get(&job_id).filter(|run| run.attempt == attempt) {
            run.output.told_to_stop();
            run.stop.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn run(job_id: JobId, attempt: u32, pool: Pool) -> Run {
        Run::new(attempt, pool, CancellationToken::new(), Output::new(job_id, attempt))
    }

    #[test]
    fn what_a_look_has_left_out_is_looked_at_once_it_runs() {
        let (running, job_id) = (Running::default(), JobId(Uuid::from_u128(1)));
        assert_eq!(running.enter(job_id, run(job_id, 1, Pool::Sandbox)), Ok(()));
        assert!(running.look().is_empty(), "nobody may take what does not run yet");
        assert!(running.starts(job_id), "somebody looked too early");
        assert_eq!(running.look(), [(job_id, 1)]);

        running.leave(job_id);
        assert_eq!(running.enter(job_id, run(job_id, 2, Pool::Sandbox)), Ok(()));
        assert!(!running.starts(job_id), "nobody looked meanwhile");
    }

    #[test]
    fn a_job_is_here_once_and_takes_a_slot_of_its_pool() {
        let (running, job_id, other) = (Running::default(), JobId(Uuid::from_u128(1)), JobId(Uuid::from_u128(2)));
        assert_eq!(running.enter(job_id, run(job_id, 1, Pool::Sandbox)), Ok(()));
        let again = || running.enter(job_id, run(job_id, 1, Pool::Sandbox));
        assert_eq!(again(), Err(Known { attempt: 1, has_started: false }));
        running.starts(job_id);
        assert_eq!(again(), Err(Known { attempt: 1, has_started: true }));
        assert_eq!(running.enter(other, run(other, 1, Pool::Service)), Ok(()));
        assert_eq!(running.slots(), PerPool::new(1, 1));
        running.leave(job_id);
        assert_eq!(running.slots(), PerPool::new(0, 1));
    }
}
