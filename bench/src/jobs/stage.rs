//! What all parts stand on: the servers, a service with all roles and default settings, and somebody who is signed in.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use hyper::{Method, body::Bytes};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, timeout};
use workroom::{jobs::QUEUE, messaging::Messaging};
use workroom_dev::{child::workroom_bin, services::Services};

use super::{CLIENTS, PATIENCE, bash, log::Log, processes};
use crate::{
    commands::sign_in,
    http_client::Connection,
    report::line,
    server::{Server, services},
};

/// Where jobs are submitted.
const JOBS: &str = "/api/v1/jobs";
/// Longer than the whole benchmark: nobody signs in anew on the way.
const TOKEN_SECONDS: &str = "3600";
/// How often it is asked whether all jobs are over.
pub const OFTEN: Duration = Duration::from_millis(5);
/// The same where nothing depends on the moment.
pub const SELDOM: Duration = Duration::from_millis(100);

pub struct Stage {
    pub log: Log,
    pub services: Services,
    pub server: Server,
    messaging: Messaging,
    token: String,
    submitted: AtomicUsize,
    runs_code: bool,
}

impl Stage {
    /// Starts everything, and tries whether programs can be run.
    ///
    /// # Errors
    /// Something it needs is missing or fails.
    pub async fn prepare() -> anyhow::Result<Self> {
        let services = services().await?;
        let server = start(&services, &[]).await?;
        let token = sign_in(&mut Connection::open(&server.address).await?).await?;
        let log = Log::connect(&services).await?;
        let messaging = Messaging::connect(services.nats_url()).await?;
        let submitted = AtomicUsize::new(0);
        let mut stage = Self { log, services, server, messaging, token, submitted, runs_code: true };
        let mut connection = stage.connect().await?;
        if let Err(error) = stage.submit_one(&mut connection, &bash("true")).await {
            line(&format!("no code can be run here; what needs it is left out: {error:#}"));
            stage.runs_code = false;
        }
        stage.settle(SELDOM).await?;
        Ok(stage)
    }

    /// Whether programs can be run.
    pub fn runs_code(&self) -> bool {
        self.runs_code
    }

    /// Replaces the service by one that runs no programs.
    ///
    /// # Errors
    /// It does not start.
    pub async fn without_worker(&mut self) -> anyhow::Result<()> {
        let roles = r#"["api","live","projector","relay","scheduler"]"#;
        let server = start(&self.services, &[("WORKROOM_ROLES", roles)]).await?;
        std::mem::replace(&mut self.server, server).stop().await;
        Ok(())
    }

    /// A process that only runs programs, with a worker's rights.
    ///
    /// # Errors
    /// It does not start.
    pub async fn worker(&self, slots: usize) -> anyhow::Result<Server> {
        let postgres = self.services.postgres().context("the benchmark has a Postgres of its own")?;
        let nats = self.services.nats().context("the benchmark has a NATS of its own")?;
        let variables =
            vec![("WORKROOM_ROLES", r#"["worker"]"#.to_owned()), ("WORKROOM_WORKER_SLOTS", slots.to_string())];
        Server::start_with(&workroom_bin()?, &postgres.worker_url(), &nats.worker_url(), &variables).await
    }

    /// A connection of somebody who is signed in.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let mut connection = Connection::open(&self.server.address).await?;
        connection.sign_in(&self.token);
        Ok(connection)
    }

    /// The access token of who is signed in.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Submits a job, and returns its id.
    ///
    /// # Errors
    /// It is refused.
    pub async fn submit_one(&self, connection: &mut Connection, job: &Value) -> anyhow::Result<String> {
        let job = connection.json(Method::POST, JOBS, job).await?;
        self.note(1);
        Ok(job["id"].as_str().context("no id")?.to_owned())
    }

    /// Takes note of jobs that were submitted otherwise.
    pub fn note(&self, submitted: usize) {
        self.submitted.fetch_add(submitted, Ordering::Relaxed);
    }

    /// Cancels a job.
    ///
    /// # Errors
    /// It is refused.
    pub async fn cancel(&self, connection: &mut Connection, job_id: &str) -> anyhow::Result<()> {
        connection.send(Method::POST, &format!("{JOBS}/{job_id}/cancel"), Bytes::new()).await.map(drop)
    }

    /// Submits jobs as fast as many connections can, until there are no more or the time is up; returns how many.
    ///
    /// # Errors
    /// One is refused.
    pub async fn submit(
        &self,
        count: usize,
        end: Option<Instant>,
        job: impl Fn(usize) -> anyhow::Result<Bytes>,
    ) -> anyhow::Result<usize> {
        let job = &job;
        let clients = (0..CLIENTS).map(|client| {
            let connection = self.connect();
            async move {
                let mut connection = connection.await?;
                let mut accepted = 0_usize;
                for number in (client..count).step_by(CLIENTS) {
                    if end.is_some_and(|end| Instant::now() >= end) {
                        break;
                    }
                    connection.send(Method::POST, JOBS, job(number)?).await?;
                    accepted += 1;
                }
                anyhow::Ok(accepted)
            }
        });
        let accepted = try_join_all(clients).await?.into_iter().sum();
        self.note(accepted);
        Ok(accepted)
    }

    /// Returns once all jobs are over, and the views show it; asks so often.
    ///
    /// # Errors
    /// It takes too long.
    pub async fn settle(&self, every: Duration) -> anyhow::Result<()> {
        self.eventually("the end of all jobs", every, async || self.log.is_settled().await).await
    }

    /// Returns once something is so; asks so often.
    ///
    /// # Errors
    /// It takes too long, or cannot be asked.
    pub async fn eventually(
        &self,
        what: &str,
        every: Duration,
        is_so: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let asked = async {
            loop {
                ticks.tick().await;
                if is_so().await? {
                    return anyhow::Ok(());
                }
            }
        };
        timeout(PATIENCE, asked).await.with_context(|| format!("{what}: waited for too long"))?
    }

    /// Measures a part, and looks whether each job has ended once.
    ///
    /// # Errors
    /// The part's; a job is lost, or has ended twice.
    pub async fn checked(&self, part: impl Future<Output = anyhow::Result<Value>>) -> anyhow::Result<Value> {
        let measured = part.await?;
        self.settle(SELDOM).await?;
        self.log.check(self.submitted.load(Ordering::Relaxed)).await?;
        Ok(measured)
    }

    /// Messages that were ever published to the work queue.
    ///
    /// # Errors
    /// NATS does not answer.
    pub async fn messages(&self) -> anyhow::Result<u64> {
        timeout(PATIENCE, self.messaging.connected()).await.context("NATS does not answer")?;
        let stream = self.messaging.jetstream().get_stream(QUEUE).await.context("the work queue does not answer")?;
        Ok(stream.cached_info().state.last_sequence)
    }

    /// Processor time of the service and all that it has started.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        let process = self.server.id().context("the service has ended")?;
        let used = processes::tree_time(process);
        ensure!(!used.is_zero(), "the service's processor time cannot be read");
        Ok(used)
    }

    /// Ends everything.
    pub async fn stop(self) {
        self.server.stop().await;
        self.log.close().await;
        self.services.stop().await;
    }
}

/// Starts the service, with these settings beside its defaults.
async fn start(services: &Services, settings: &[(&str, &str)]) -> anyhow::Result<Server> {
    let mut variables = vec![("WORKROOM_ACCESS_TOKEN_SECONDS", TOKEN_SECONDS.to_owned())];
    variables.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Server::start_with(&workroom_bin()?, services.owner_url(), services.nats_url(), &variables).await
}
