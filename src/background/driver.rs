//! Runs background tasks: each on its own, so that one that fails or takes long delays no other.

use std::{
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use tokio::task::AbortHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    leadership::Lead,
    periodic::Periodic,
    service,
    status::Statuses,
    task::{Context, Task},
};

/// How a task ends with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtStop {
    /// It is consistent wherever it stops. It goes on until all that is waited for has ended, and is aborted then.
    Aborted,
    /// It is told to stop, and waited for.
    Waited,
}

/// What is said of a task where it is registered.
#[derive(Clone)]
pub struct About {
    pub(super) name: &'static str,
    pub(super) period: Duration,
    pub(super) gathering: Duration,
    pub(super) at_stop: AtStop,
    pub(super) lead: Option<Lead>,
}

impl About {
    /// A task of this name that is activated at the start, when it is woken, and after `period` at the latest.
    pub fn every(period: Duration, name: &'static str, at_stop: AtStop) -> Self {
        Self { name, period, gathering: Duration::ZERO, at_stop, lead: None }
    }

    /// The same, which one process at a time does for the whole deployment.
    #[must_use]
    pub fn led(self, lead: Lead) -> Self {
        Self { lead: Some(lead), ..self }
    }

    /// The same, which rests for so long after each activation: what wakes it meanwhile is gathered.
    #[must_use]
    pub fn gathering(self, pause: Duration) -> Self {
        Self { gathering: pause, ..self }
    }
}

/// Starts tasks, knows how they are doing, and ends them.
pub struct Driver {
    shutdown: CancellationToken,
    waited: TaskTracker,
    aborted: Mutex<Vec<AbortHandle>>,
    statuses: Statuses,
}

impl Driver {
    /// A driver without tasks, of a process that stops when `shutdown` is cancelled.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { shutdown, waited: TaskTracker::new(), aborted: Mutex::default(), statuses: Statuses::default() }
    }

    /// How the tasks are doing.
    pub fn statuses(&self) -> Statuses {
        self.statuses.clone()
    }

    /// Starts a task, which is activated again and again.
    pub fn task(&self, about: About, task: impl Task) {
        let report = self.statuses.add(about.name, about.period);
        let (at_stop, context) = (about.at_stop, self.context(about.at_stop));
        self.spawn(at_stop, Periodic::new(task, about, context, report).run());
    }

    /// Starts a service loop: `work` runs until the process stops. If it ends before, or panics, it is begun again after a
    /// pause.
    pub fn service<W, F>(&self, name: &'static str, at_stop: AtStop, work: W)
    where
        W: Fn(Context) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let report = self.statuses.add(name, Duration::ZERO);
        self.spawn(at_stop, service::keep_running(work, self.context(at_stop), report));
    }

    /// Waits for the end of all that is waited for; to be called once they were told to stop.
    pub async fn ended(&self) {
        self.waited.close();
        self.waited.wait().await;
    }

    /// Ends the others, wherever they are.
    pub fn abort(&self) {
        for task in self.aborted().drain(..) {
            task.abort();
        }
    }

    fn aborted(&self) -> MutexGuard<'_, Vec<AbortHandle>> {
        self.aborted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is aborted is never told to stop: others rely on it while they come to their end.
    fn context(&self, at_stop: AtStop) -> Context {
        match at_stop {
            AtStop::Aborted => Context::default(),
            AtStop::Waited => Context { shutdown: self.shutdown.clone(), term: None },
        }
    }

    fn spawn(&self, at_stop: AtStop, task: impl Future<Output = ()> + Send + 'static) {
        match at_stop {
            AtStop::Aborted => self.aborted().push(tokio::spawn(task).abort_handle()),
            AtStop::Waited => drop(self.waited.spawn(task)),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.abort();
    }
}

/// A panic as an error.
pub async fn caught<T>(work: impl Future<Output = T> + Send) -> anyhow::Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        let message = panic.downcast_ref::<&str>().copied();
        let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        anyhow::anyhow!("it panicked: {}", message.unwrap_or("without a message"))
    })
}
