//! Whatever jobs stand on dies again and again, and workers disagree about the time: every job ends once, and none is lost, no
//! schedule misses or doubles a run, and a webhook tells of each.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use futures::future::join_all;
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::{effects::Effects, load::assert_proved};
use crate::{
    event_store::log::assert_whole,
    jobs::{
        clocks::{AHEAD, BEHIND, Clock},
        lifecycle::bash,
    },
    support::{Person, Server, World, within},
    webhooks::LOCAL,
};

/// How long a client waits before it tries again after a failure.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a submission may take, failures included.
const SUBMISSION: Duration = Duration::from_secs(60);

/// Numbers at random, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 += 1;
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish() % limit
    }

    fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("a small number")
    }

    fn one_of(&mut self, faults: &[Fault]) -> Fault {
        faults[self.index(faults.len())]
    }

    fn moment(&mut self, longest: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(longest.as_millis()).expect("a short time")))
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    KillWorker,
    StopWorker,
    FreezeWorker,
    KillDispatcher,
    StopDispatcher,
    KillNats,
    WipeNats,
    StopPostgres,
    KillPostgres,
}

/// The processes that things go wrong with. Beside them, one that answers requests goes on all the time.
struct Stage<'a> {
    world: &'a World,
    /// Each with its clock, which whoever takes its place has, too.
    workers: Vec<(Clock, Server)>,
    dispatchers: Vec<Server>,
    chance: Chance,
}

async fn worker(world: &World, clock: Clock) -> (Clock, Server) {
    let variables = [&[("WORKROOM_WORKER_GRACE_SECONDS", "1")][..], &clock[..]].concat();
    (clock, world.worker_with(&variables).await)
}

/// Dispatches, runs schedules, and sends what webhooks tell.
async fn dispatcher(world: &World) -> Server {
    world.server_with(&["--roles", "scheduler"], &LOCAL).await
}

impl<'a> Stage<'a> {
    /// Two workers, one of which is an hour ahead and the other an hour behind, and so many who can dispatch.
    async fn begin(world: &'a World, dispatchers: usize, seed: u64) -> Self {
        Self {
            world,
            workers: join_all([AHEAD, BEHIND].map(|clock| worker(world, clock))).await,
            dispatchers: join_all((0..dispatchers).map(|_| dispatcher(world))).await,
            chance: Chance(seed << 32),
        }
    }

    fn a_worker(&mut self) -> (Clock, Server) {
        let number = self.chance.index(self.workers.len());
        self.workers.swap_remove(number)
    }

    fn a_dispatcher(&mut self) -> Server {
        let number = self.chance.index(self.dispatchers.len());
        self.dispatchers.swap_remove(number)
    }

    /// Lets something go wrong at some moment, and mends it.
    async fn inject(&mut self, fault: Fault) {
        // Not to wait for anything, here and below: the moment is what varies.
        tokio::time::sleep(self.chance.moment(Duration::from_secs(1))).await;
        let away = self.chance.moment(Duration::from_millis(1500));
        match fault {
            Fault::KillWorker => {
                let (clock, server) = self.a_worker();
                server.kill9().await;
                self.workers.push(worker(self.world, clock).await);
            }
            Fault::StopWorker => {
                let (clock, server) = self.a_worker();
                assert!(server.stop().await, "a worker that does not end well");
                self.workers.push(worker(self.world, clock).await);
            }
            Fault::FreezeWorker => {
                let (clock, server) = self.a_worker();
                server.signal(Signal::SIGSTOP);
                // Some are given up for it, and some are not.
                tokio::time::sleep(3 * away).await;
                server.signal(Signal::SIGCONT);
                self.workers.push((clock, server));
            }
            Fault::KillDispatcher => {
                self.a_dispatcher().kill9().await;
                self.dispatchers.push(dispatcher(self.world).await);
            }
            Fault::StopDispatcher => {
                assert!(self.a_dispatcher().stop().await, "a dispatcher that does not end well");
                self.dispatchers.push(dispatcher(self.world).await);
            }
            Fault::KillNats => {
                self.world.nats().kill9().await;
                tokio::time::sleep(away).await;
                self.world.nats().restart().await.expect("NATS again");
            }
            Fault::WipeNats => self.world.nats().wipe_store().await.expect("an empty NATS"),
            Fault::StopPostgres | Fault::KillPostgres => {
                let postgres = self.world.services().postgres().expect("a Postgres of one's own");
                match fault {
                    Fault::StopPostgres => postgres.stop().await,
                    _ => postgres.kill9().await,
                }
                tokio::time::sleep(away).await;
                postgres.restart().await.expect("Postgres again");
            }
        }
    }
}

/// Submits a job until it is taken; returns its id.
async fn submit(ada: &Person, job: &Value) -> String {
    let (began, body) = (Instant::now(), job.to_string());
    let keyed = ada.with_header("idempotency-key", &Uuid::now_v7().to_string());
    loop {
        match keyed.try_send(Method::POST, "/jobs", Some(body.clone())).await {
            Ok(reply) if reply.status == 202 => return reply.id(),
            // The same request, whose connection was lost, may still be at work.
            Ok(reply) => assert!(matches!(reply.status, 409 | 503), "{}", reply.text),
            Err(_) => {}
        }
        assert!(began.elapsed() < SUBMISSION, "not taken in {:?}", began.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
}

/// Submits so many of each kind; returns their ids.
async fn submit_all(ada: &Person, noops: usize, programs: usize) -> Vec<String> {
    // Long enough to be interrupted.
    let (noop, program) = (json!({"type": "noop"}), bash("sleep 0.3"));
    let mut ids = join_all((0..programs).map(|_| submit(ada, &program))).await;
    ids.extend(join_all((0..noops).map(|_| submit(ada, &noop))).await);
    ids
}

/// How many jobs are not over, by the views and then by the log; none when nobody can tell.
async fn open(pool: &PgPool) -> Option<i64> {
    let by_views = "SELECT count(*) FROM views.jobs WHERE status IN ('pending', 'running')";
    let by_log = "SELECT count(*) FROM events asked
                  WHERE asked.event_type = 'JobRequested' AND NOT EXISTS (
                      SELECT FROM events e WHERE e.aggregate_type = 'job' AND e.aggregate_id = asked.aggregate_id
                      AND e.event_type IN ('JobSucceeded', 'JobDeadLettered', 'JobCancelled'))";
    for count in [by_views, by_log] {
        let open: i64 = sqlx::query_scalar(count).fetch_one(pool).await.ok()?;
        if open > 0 {
            return Some(open);
        }
    }
    Some(0)
}

/// Insists that these jobs, those of schedules and webhooks, and no others, have succeeded, each once.
async fn assert_each_ended_once(pool: &PgPool, jobs: &[String]) {
    let ends: Vec<(String, i64, i64, bool)> = sqlx::query_as(
        "SELECT aggregate_id, count(*) FILTER (WHERE event_type = 'JobSucceeded'),
                count(*) FILTER (WHERE event_type IN ('JobDeadLettered', 'JobCancelled')),
                bool_or(event_type = 'JobRequested' AND (payload->>'schedule_id' IS NOT NULL
                                                         OR payload->>'job_type' = 'webhook_delivery'))
         FROM events WHERE aggregate_type = 'job' GROUP BY 1",
    )
    .fetch_all(pool)
    .await
    .expect("the ends");
    let wrong: Vec<_> = ends.iter().filter(|(_, succeeded, other, _)| (*succeeded, *other) != (1, 0)).collect();
    assert!(wrong.is_empty(), "jobs that did not succeed once: {wrong:?}");
    let known: BTreeSet<&String> = jobs.iter().collect();
    assert_eq!(known.len(), jobs.len(), "an id was told twice");
    let submitted = ends.iter().filter(|(.., is_by_service)| !is_by_service);
    assert_eq!(
        submitted.map(|(id, ..)| id).collect::<BTreeSet<_>>(),
        known,
        "other jobs than those that were asked for"
    );
    let told: Vec<(String, i64)> = sqlx::query_as(
        "SELECT concat_ws(' ', event_type, payload->>'cause'), count(*) FROM events
         WHERE aggregate_type = 'job' GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .expect("counts");
    eprintln!("{told:?}");
}

/// A run: how many jobs of each kind are submitted beside each fault, and how many faults there are.
struct Plan {
    steps: usize,
    noops: usize,
    programs: usize,
    /// After so long nothing goes wrong any more.
    faults_for: Duration,
    /// How long the jobs that are left then may take, and each step before that: the schedules catch up, and are told of.
    drain_for: Duration,
}

impl Plan {
    /// Carries it out; `fault` says what goes wrong beside each step.
    async fn run(&self, stage: &mut Stage<'_>, ada: &Person, fault: impl Fn(usize, &mut Chance) -> Fault) {
        let (world, began, mut jobs) = (stage.world, Instant::now(), Vec::new());
        let effects = Effects::begin(ada).await;
        for step in 0..self.steps {
            let submitted = submit_all(ada, self.noops, self.programs);
            if began.elapsed() < self.faults_for {
                let next = fault(step, &mut stage.chance);
                let ((), submitted) = tokio::join!(stage.inject(next), submitted);
                eprintln!("{:.1?}: {next:?}", began.elapsed());
                jobs.extend(submitted);
            } else {
                jobs.extend(submitted.await);
            }
        }
        let pool = world.pool().await;
        effects.rest(ada, &pool, self.drain_for).await;
        let drained = within(self.drain_for, "all jobs are over", async || open(&pool).await == Some(0)).await;
        eprintln!("{} jobs are over {drained:.1?} after the last fault", jobs.len());
        pool.close().await;
        // Those of the other were made while Postgres may have been away.
        let pool = world.pool().await;
        assert_each_ended_once(&pool, &jobs).await;
        effects.assert_once(&pool).await;
        assert_whole(&pool).await;
        assert_proved(world, &pool).await;
    }
}

/// A service that answers requests and keeps the views, and neither dispatches nor runs anything.
async fn api_server(world: &World) -> Server {
    world.server_with(&["--roles", "api,live,projector,relay"], &LOCAL).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_ends_once_while_workers_dispatchers_and_nats_are_killed() {
    let world = World::new().await;
    let server = api_server(&world).await;
    let ada = server.person("ada").await;
    let mut stage = Stage::begin(&world, 1, 13).await;
    let plan = Plan {
        steps: 20,
        noops: 15,
        programs: 3,
        faults_for: Duration::from_secs(60),
        drain_for: Duration::from_secs(60),
    };
    plan.run(&mut stage, &ada, |step, chance| match step {
        6 => Fault::KillNats,
        13 => Fault::WipeNats,
        _ => chance.one_of(&[Fault::KillWorker, Fault::KillDispatcher]),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long drill"]
async fn drill_five_thousand_jobs_end_once_whatever_dies() {
    let drill = async {
        let world = World::with_own_postgres().await;
        let server = api_server(&world).await;
        let ada = server.person("ada").await;
        let mut stage = Stage::begin(&world, 2, 5000).await;
        let plan = Plan {
            steps: 50,
            noops: 90,
            programs: 10,
            faults_for: Duration::from_mins(3),
            drain_for: Duration::from_mins(2),
        };
        plan.run(&mut stage, &ada, |step, chance| match step {
            8 | 24 => Fault::KillNats,
            16 => Fault::WipeNats,
            12 => Fault::StopPostgres,
            20 | 32 => Fault::KillPostgres,
            _ => chance.one_of(&[
                Fault::KillWorker,
                Fault::KillWorker,
                Fault::StopWorker,
                Fault::FreezeWorker,
                Fault::FreezeWorker,
                Fault::KillDispatcher,
                Fault::StopDispatcher,
            ]),
        })
        .await;
    };
    tokio::time::timeout(Duration::from_mins(6), drill).await.expect("an end in time");
}
