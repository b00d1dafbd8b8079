//! The worker: takes attempts from the queue and runs them.
//!
//! - [`slots`]: takes as many as there is room for, one pool beside the other
//! - [`attempt`]: one attempt, from its start in the log to its end there
//! - [`recorder`]: writes starts and ends of many attempts to the log together
//! - [`output`]: stores what they print
//! - [`progress`]: reads in it how far they say that they are
//! - [`running`]: what the worker has in its hands
//! - [`heart`]: says that the worker lives, and finds out what it should no longer run
//!
//! A worker that was given up (it stood still, or was cut off) finds that its row is gone: it stops everything, reports
//! nothing, and begins anew under another id. What it ran is somebody else's by then. So does one that cannot record or
//! store any more, because a task of its own has panicked.

pub mod artifacts;
mod attempt;
mod heart;
mod output;
mod progress;
mod reason;
mod recorder;
mod running;
mod slots;

use std::{sync::Arc, time::Duration};

use sqlx::postgres::PgConnectOptions;
use tokio::{
    sync::{Notify, watch},
    task::JoinError,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;
use workroom_domain::actor::{Actor, SystemActor};

pub use output::{Output, Stream};

use self::{heart::Heart, output::Printer, recorder::Recorder, running::Running};
use super::{
    output_bell::OutputBell,
    pool::{PerPool, Pool},
    sandbox::Sandbox,
    types::Types,
};
use crate::{
    application::{App, Context},
    messaging::Messaging,
};

/// Where a worker is told that it runs what it should no longer run.
pub(super) fn stop_subject(epoch: Uuid, worker_id: Uuid) -> String {
    format!("workroom.{epoch}.stop.{worker_id}")
}

/// How a worker is set up.
#[derive(Clone)]
pub struct WorkerConfig {
    /// What it can run.
    pub types: Types,
    /// How many attempts it runs at a time.
    pub slots: PerPool<usize>,
    /// How long programs may go on when the worker is told to stop.
    pub grace: Duration,
    /// Bytes that are kept of what jobs of an owner print and leave; 0 is as many as there are.
    pub storage_quota: i64,
    /// Where programs run.
    pub sandbox: Option<Sandbox>,
}

/// Runs attempts, several at a time. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    app: App,
    options: PgConnectOptions,
    messaging: Messaging,
    epoch: watch::Receiver<Uuid>,
    bell: OutputBell,
    config: WorkerConfig,
}

/// A worker from its entry in the table `workers` until it stops or is given up.
struct Life {
    id: Uuid,
    app: App,
    messaging: Messaging,
    types: Types,
    storage_quota: i64,
    recorder: Recorder,
    printer: Printer,
    running: Running,
    /// The heart is to look whether all that runs may still run.
    look: Notify,
    /// No more attempts are taken.
    closing: CancellationToken,
    /// Programs are to end, and their jobs go to other workers.
    stopping: CancellationToken,
    /// The worker was given up: whatever it runs is not its own any more.
    given_up: CancellationToken,
}

impl Worker {
    /// A worker that says that it lives by a connection of its own made with `options`.
    pub fn new(
        app: App,
        options: PgConnectOptions,
        messaging: Messaging,
        epoch: watch::Receiver<Uuid>,
        config: WorkerConfig,
    ) -> Self {
        let bell = OutputBell::new(messaging.clone(), epoch.clone());
        Self { app, options, messaging, epoch, bell, config }
    }

    /// Runs attempts until told to stop. What runs then may go on for a while; what is not done by then goes to other
    /// workers.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            self.live(&shutdown).await;
        }
        if let Some(sandbox) = &self.config.sandbox {
            sandbox.close().await;
        }
    }

    async fn live(&self, shutdown: &CancellationToken) {
        let id = Uuid::now_v7();
        let mut heart = Heart::new(id, self.options.clone(), self.config.slots);
        tokio::select! {
            () = heart.enter() => {}
            () = shutdown.cancelled() => return,
        }
        tracing::debug!(worker_id = %id, "the worker begins");
        let given_up = CancellationToken::new();
        let (recorder, mut recording) = recorder::start(self.app.clone(), given_up.clone());
        let (pool, bell, storage_quota) = (self.app.pool().clone(), self.bell.clone(), self.config.storage_quota);
        let (printer, mut printing) = output::start(pool, id, storage_quota, bell, given_up.clone());
        let life = Arc::new(Life {
            id,
            app: self.app.clone(),
            messaging: self.messaging.clone(),
            types: self.config.types.clone(),
            storage_quota,
            recorder,
            printer,
            running: Running::default(),
            look: Notify::new(),
            closing: shutdown.child_token(),
            stopping: CancellationToken::new(),
            given_up,
        });
        let tracker = TaskTracker::new();
        for pool in Pool::ALL.into_iter().filter(|pool| self.config.slots[*pool] > 0) {
            tracker.spawn(Arc::clone(&life).serve(pool, self.config.slots[pool], tracker.clone()));
        }
        let listening = tokio::spawn(heart::listen(Arc::clone(&life), self.epoch.clone()));
        let mut storing = tokio::spawn(output::store_as_it_comes(Arc::clone(&life)));
        let ended = async {
            shutdown.cancelled().await;
            // It has fewer slots from now on.
            life.look.notify_one();
            tracker.close();
            if tokio::time::timeout(self.config.grace, tracker.wait()).await.is_err() {
                life.stopping.cancel();
                tracker.wait().await;
            }
        };
        // These tasks go on as long as the life does. Without one of them the worker would take attempts, and no more.
        let broken = async {
            tokio::select! {
                ended = &mut recording => ("recording", ended),
                ended = &mut printing => ("storing output", ended),
                ended = &mut storing => ("looking for output", ended),
            }
        };
        tokio::select! {
            () = ended => heart.leave().await,
            () = heart.beat(&life) => {
                tracing::warn!(worker_id = %id, "the worker was given up: it stops what it runs, and begins anew");
                life.give_up(&tracker).await;
            }
            (task, ended) = broken => {
                log_broken(id, task, ended);
                life.give_up(&tracker).await;
                // It runs nothing any more: others need not wait until it is found silent.
                heart.leave().await;
            }
        }
        listening.abort();
        storing.abort();
        drop(life);
        for task in [recording, printing] {
            // One that has ended was waited for.
            if !task.is_finished() {
                task.await.ok();
            }
        }
    }
}

impl Life {
    /// Stops all that runs, and reports nothing.
    async fn give_up(&self, tracker: &TaskTracker) {
        self.given_up.cancel();
        self.closing.cancel();
        self.stopping.cancel();
        tracker.close();
        tracker.wait().await;
    }
}

/// Says that a task of a worker has ended before the worker.
fn log_broken(worker_id: Uuid, task: &'static str, ended: Result<(), JoinError>) {
    let why = ended.err().map_or_else(|| "it ended".to_owned(), |error| error.to_string());
    tracing::error!(%worker_id, task, %why, "a task of the worker has ended: it stops what it runs, and begins anew");
}

/// Each attempt is its own story.
fn context() -> Context {
    Context::new(Actor::System(SystemActor::Worker), Uuid::now_v7())
}
