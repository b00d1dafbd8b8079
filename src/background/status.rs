//! How background tasks are doing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use time::OffsetDateTime;
use tokio::{sync::watch, time::Instant};
use workroom_projections::describe::describe;

use crate::clock;

/// A task that fails for longer than so many of its periods does not work.
const FAILING_PERIODS: u32 = 3;
/// The same for tasks with short periods: one failure, or a database that is away for a moment, is none yet.
const FAILING_AT_LEAST: Duration = Duration::from_secs(5);

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for its time, or to be woken.
    Waiting,
    /// Waits to be elected: another process does its work.
    StandingBy,
    /// Is at work.
    Running,
    /// Came to its end with the process.
    Stopped,
}

impl State {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::StandingBy => "standing_by",
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
}

/// An activation that went well.
#[derive(Clone, Debug, PartialEq)]
pub struct Success {
    /// When it ended.
    pub at: OffsetDateTime,
    /// The same, to tell its age by.
    pub ended: Instant,
    /// How long it took.
    pub took: Duration,
    /// What it did.
    pub detail: Value,
}

/// An activation that failed, or a service loop that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it failed, by the wall clock.
    pub at: OffsetDateTime,
    /// The error and its sources, in one line.
    pub reason: String,
}

/// How a task is doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// When the task came into `state`.
    pub since: Instant,
    /// How often it was activated, or a service loop started.
    pub activations: u64,
    /// How many of those failed.
    pub failures: u64,
    /// The last activation that went well; a service loop has none.
    pub last_success: Option<Success>,
    /// The last error.
    pub last_error: Option<Failure>,
    /// Since when nothing has gone well, if the last activation failed.
    pub failing_since: Option<Instant>,
    /// How long it may fail and still be said to work.
    tolerated: Duration,
}

impl Status {
    /// Whether the task works: it does not, once it has failed for several of its periods.
    pub fn is_ok(&self) -> bool {
        self.failing_since.is_none_or(|since| since.elapsed() <= self.tolerated)
    }
}

type Registered = Vec<(&'static str, watch::Receiver<Status>)>;

/// The statuses of all tasks of a process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Statuses {
    all: Arc<Mutex<Registered>>,
}

impl Statuses {
    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How each task is doing now, by name, in the order in which they were registered.
    pub fn all(&self) -> Vec<(&'static str, Status)> {
        self.lock().iter().map(|(name, status)| (*name, status.borrow().clone())).collect()
    }

    /// How a task is doing, and changes of that.
    pub fn of(&self, name: &str) -> Option<watch::Receiver<Status>> {
        self.lock().iter().find(|(known, _)| *known == name).map(|(_, status)| status.clone())
    }

    /// Adds a task that is activated after `period` at the latest.
    pub(super) fn add(&self, name: &'static str, period: Duration) -> Reporter {
        let status = watch::Sender::new(Status {
            state: State::Waiting,
            since: Instant::now(),
            activations: 0,
            failures: 0,
            last_success: None,
            last_error: None,
            failing_since: None,
            tolerated: (period * FAILING_PERIODS).max(FAILING_AT_LEAST),
        });
        self.lock().push((name, status.subscribe()));
        Reporter { name, status }
    }
}

/// Notes how a task is doing.
pub(super) struct Reporter {
    name: &'static str,
    status: watch::Sender<Status>,
}

impl Reporter {
    pub(super) fn is(&self, state: State) {
        self.status.send_if_modified(|status| {
            let is_news = status.state != state;
            if is_news {
                (status.state, status.since) = (state, Instant::now());
            }
            is_news
        });
    }

    pub(super) fn began(&self) {
        self.status.send_modify(|status| {
            status.activations += 1;
            (status.state, status.since) = (State::Running, Instant::now());
        });
    }

    pub(super) fn succeeded(&self, detail: Value) {
        self.status.send_modify(|status| {
            let ended = Instant::now();
            let took = ended - status.since;
            status.last_success = Some(Success { at: clock::now(), ended, took, detail });
            status.failing_since = None;
            (status.state, status.since) = (State::Waiting, ended);
        });
    }

    /// A service loop has run for so long that it works.
    pub(super) fn is_steady(&self) {
        self.status.send_modify(|status| status.failing_since = None);
    }

    /// Notes an error, and logs it: as a warning when it is another one than before.
    pub(super) fn failed(&self, error: &anyhow::Error) {
        let error: &(dyn std::error::Error + 'static) = error.as_ref();
        let reason = describe(error);
        let task = self.name;
        let known = {
            let status = self.status.borrow();
            status.failing_since.is_some() && status.last_error.as_ref().is_some_and(|last| last.reason == reason)
        };
        if known {
            tracing::debug!(error, task, "a background task failed again");
        } else {
            tracing::warn!(error, task, "a background task failed");
        }
        self.status.send_modify(|status| {
            let now = Instant::now();
            status.failures += 1;
            status.last_error = Some(Failure { at: clock::now(), reason });
            status.failing_since.get_or_insert(now);
            (status.state, status.since) = (State::Waiting, now);
        });
    }
}
