//! The scheduler: runs the schedules whose time has come.
//!
//! One process does it for all, elected. It asks the view which schedules are due, ticks them, many at a time, and
//! rests until the next one is due: for a second at most, since clocks jump, and until the view changes, since
//! schedules do. What it is told may be old; whether a run is due the log decides, and of two schedulers that do not
//! know of each other one wins (`application/schedules/tick.rs`). A schedule that cannot be run for a reason that has
//! nothing to do with it is tried again after a pause, and keeps no other from being run.
//!
//! The time is the database's: a process whose own clock is wrong runs nothing early, and puts nothing off.
//!
//! After an outage much is late at once. What is on time goes first, tenants take turns, and a schedule that makes up
//! for many runs rests between them, so that its jobs do not fill its owner's limits.

use std::{collections::HashMap, time::Duration};

use futures::StreamExt;
use serde_json::json;
use time::OffsetDateTime;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use uuid::Uuid;
use workroom_domain::{ids::ScheduleId, timestamp::Timestamp};
use workroom_projections::schedules::{self, DueSchedule};

use crate::{
    application::{App, Error, jobs::OpenJobs, schedules::Ticked},
    background::{Activation, Context, Next, Task},
    backoff,
};

/// How often it looks at the latest.
pub const PERIOD: Duration = Duration::from_secs(1);
/// What wakes it within so long is seen together.
pub const GATHERING: Duration = Duration::from_millis(50);
/// What is due sooner is waited for at work: a rest may take longer.
const NEAR: Duration = Duration::from_millis(75);
/// How long it is at work in a row.
const LONGEST_ACTIVATION: Duration = Duration::from_secs(1);
/// Schedules that are ticked before it looks again: what becomes due meanwhile goes before what is late.
const BATCH: i64 = 256;
/// What is due for longer is late.
const LATE: Duration = Duration::from_secs(2);
/// How long a schedule rests that has made up for a run and has more to make up for.
const MAKE_UP_PAUSE: Duration = Duration::from_millis(500);
/// Schedules that are ticked at a time.
const CONCURRENT_TICKS: usize = 64;
/// The pause before a schedule is looked at again whose run was not due after all: the view is behind.
const RECHECK: Duration = Duration::from_millis(100);
/// The longest pause before a schedule is tried again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// For how long it is remembered how often a schedule has failed.
const MEMORY: Duration = Duration::from_mins(10);
/// The group of the view.
const VIEWS: &str = "jobs";

/// Runs the schedules whose time has come.
pub struct Scheduler {
    app: App,
    open: OpenJobs,
    views: Option<watch::Receiver<i64>>,
    paused: HashMap<Uuid, Paused>,
}

/// A schedule that is not to be tried for a while.
#[derive(Clone, Copy)]
struct Paused {
    until: Instant,
    /// How often in a row it could not be run.
    failures: u32,
}

impl Scheduler {
    /// A scheduler of this process.
    pub fn new(app: App, open: OpenJobs) -> Self {
        let views = app.progress().watch(VIEWS);
        Self { app, open, views, paused: HashMap::new() }
    }

    /// What is due now, and how long until there may be more.
    async fn look(&mut self) -> Result<Found, sqlx::Error> {
        let now = Instant::now();
        self.paused.retain(|_, paused| paused.until > now || (paused.failures > 0 && paused.until + MEMORY > now));
        let paused: Vec<(Uuid, Instant)> =
            self.paused.iter().map(|(id, paused)| (*id, paused.until)).filter(|(_, until)| *until > now).collect();
        let but_for: Vec<Uuid> = paused.iter().map(|(id, _)| *id).collect();
        let (shown, first) = schedules::first_due(self.app.pool(), &but_for).await?;
        let clock = DatabaseClock { shown, read: Instant::now() };
        let wait = first.map(|first| until(first, shown));
        let due = if wait.is_some_and(|wait| wait.is_zero()) {
            schedules::due(self.app.pool(), shown, shown - LATE, &but_for, BATCH).await?
        } else {
            Vec::new()
        };
        let retry = paused.iter().map(|(_, until)| until.saturating_duration_since(now)).min();
        let wait = [wait, retry].into_iter().flatten().fold(PERIOD, Duration::min);
        Ok(Found { due, clock, wait })
    }

    /// Ticks schedules; how many of them ran, or were suspended.
    async fn tick(&mut self, due: Vec<DueSchedule>, clock: DatabaseClock) -> usize {
        let app = self.app.clone();
        let open = self.open.clone();
        let ticks = due.into_iter().map(|schedule| tick(app.clone(), open.clone(), schedule, clock));
        let mut ticks = futures::stream::iter(ticks).buffer_unordered(CONCURRENT_TICKS);
        let mut done = 0;
        while let Some((id, ticked)) = ticks.next().await {
            match ticked {
                Ok(Ticked::Done | Ticked::Suspended) => {
                    self.paused.remove(&id);
                    done += 1;
                }
                Ok(Ticked::MadeUp) => {
                    self.pause(id, 0, MAKE_UP_PAUSE);
                    done += 1;
                }
                Ok(Ticked::NotDue) => self.pause(id, 0, RECHECK),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        schedule_id = %id,
                        "a schedule could not be run"
                    );
                    let failures = self.paused.get(&id).map_or(0, |paused| paused.failures);
                    self.pause(id, failures + 1, backoff::pause(failures, LONGEST_PAUSE));
                }
            }
        }
        done
    }

    fn pause(&mut self, id: Uuid, failures: u32, pause: Duration) {
        self.paused.insert(id, Paused { until: Instant::now() + pause, failures });
    }
}

/// What was found in a look.
struct Found {
    due: Vec<DueSchedule>,
    clock: DatabaseClock,
    /// How long until there may be more.
    wait: Duration,
}

/// The database's clock, as it was when it was read, and what has passed since.
#[derive(Clone, Copy)]
struct DatabaseClock {
    shown: OffsetDateTime,
    read: Instant,
}

impl DatabaseClock {
    /// To the microsecond, as Postgres keeps it.
    fn now(self) -> OffsetDateTime {
        let now = self.shown + self.read.elapsed();
        now.replace_microsecond(now.microsecond()).unwrap_or(now)
    }
}

async fn tick(app: App, open: OpenJobs, schedule: DueSchedule, clock: DatabaseClock) -> (Uuid, Result<Ticked, Error>) {
    let ticked = match Timestamp::new(schedule.next_at) {
        Ok(tick_at) => app.tick(ScheduleId(schedule.id), tick_at, clock.now(), &open).await,
        Err(error) => Err(Error::failure(error)),
    };
    (schedule.id, ticked)
}

fn until(at: OffsetDateTime, now: OffsetDateTime) -> Duration {
    Duration::try_from(at - now).unwrap_or_default()
}

impl Task for Scheduler {
    async fn activate(&mut self, context: &Context) -> anyhow::Result<Activation> {
        let began = Instant::now();
        let mut ran = 0;
        while context.may_go_on() && began.elapsed() < LONGEST_ACTIVATION {
            let Found { due, clock, wait } = self.look().await?;
            if !due.is_empty() {
                ran += self.tick(due, clock).await;
            } else if wait <= NEAR {
                sleep(wait).await;
            } else {
                return Ok(Activation::did(json!({ "ran": ran })).then(Next::In(wait)));
            }
        }
        Ok(Activation::did(json!({ "ran": ran })).then(Next::AtOnce))
    }

    async fn woken(&mut self) {
        let is_known = match &mut self.views {
            Some(views) => views.changed().await.is_ok(),
            None => false,
        };
        if !is_known {
            std::future::pending::<()>().await;
        }
    }
}
