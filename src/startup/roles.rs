//! What a process plays: its background tasks are registered, and what it answers is put together.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use tokio::sync::watch;
use workroom_projections::leader::Election;

use super::{
    Base,
    sandbox::{self, Found, gate},
};
use crate::{
    application::jobs::OpenJobs,
    background::{Driver, registry::Registry},
    config::Role,
    http,
    identity::Identity,
    jobs::output_bell::OutputBell,
    live::{Hub, Live, Outgoing},
    log_tree::TreeStatus,
    messaging::{doorbell::Doorbell, peers::Peers, seal::Seal},
    rate_limit::{RateLimits, Share},
    readiness::{self, Followers, Probe},
    relay::RelayStatus,
};

/// Starts a process that only runs jobs, and asks for no secret on the way; returns what it answers.
pub(super) async fn start_worker_alone(base: &Base, driver: &Driver) -> Router {
    let registry = Registry { driver, base };
    let followers = registry.every_process();
    registry.only_jobs();
    let sandbox = start_worker(&registry).await;
    let readiness = readiness(base, driver, followers, (None, None), &sandbox);
    http::router::router_of_worker(http::Probes { readiness, details: base.config.process.ready_details }, &base.config)
}

/// Starts everything that this process plays; returns what it answers.
pub(super) async fn start(base: &Base, driver: &Driver, address: SocketAddr) -> anyhow::Result<(Router, Live)> {
    let registry = Registry { driver, base };
    let followers = registry.every_process();
    let seal = base.patiently(async || Seal::open(&base.pool).await).await?;
    let doorbell = Doorbell::new(
        base.messaging.clone(),
        seal.clone(),
        base.epoch.clone(),
        base.log.clone(),
        base.progress.clone(),
    );
    let (announce, peers) = (doorbell.announce(), doorbell.peers());
    registry.doorbell(doorbell);
    let election = Election::start(base.options.clone());
    if base.plays(Role::Projector) {
        registry.projector(&election, &announce);
    }
    let tree = base.plays(Role::Projector).then(|| registry.log_tree(&election));
    let relay = base.plays(Role::Relay).then(|| registry.relay(&election));
    let sandbox = start_worker(&registry).await;
    let identity = base
        .patiently(async || Identity::open(base.app.clone(), base.config.identity.config(&base.config.mail)?).await)
        .await?;
    registry.identity(&identity, seal.clone());
    if base.plays(Role::Scheduler) {
        registry.scheduler(&election, address)?;
    }
    let rate_limits = RateLimits::new(base.config.requests.rate_limits.clone());
    registry.rate_limits(Share {
        limits: rate_limits.clone(),
        messaging: base.messaging.clone(),
        seal: seal.clone(),
        epoch: base.epoch.clone(),
        peers: Arc::clone(&peers),
    });
    let outputs = OutputBell::new(base.messaging.clone(), base.epoch.clone());
    registry.outputs(&outputs);
    let live = live(base, &identity, seal, peers);
    let state = http::State::new(http::Shared {
        app: base.app.clone(),
        identity,
        live: live.clone(),
        config: Arc::clone(&base.config),
        rate_limits,
        readiness: readiness(base, driver, followers, (relay, tree), &sandbox),
        sandbox: gate(sandbox),
        open_jobs: OpenJobs::new(base.config.jobs.open_limits()),
        outputs,
        languages: sandbox::languages(&base.config),
    });
    Ok((http::router::router(state), live))
}

/// Starts the worker for what this process can run; the error says why there is no sandbox where there should be one.
async fn start_worker(registry: &Registry<'_>) -> Found {
    let base = registry.base;
    let sandbox = if base.plays(Role::Worker) { sandbox::find(base).await } else { Ok(None) };
    let found = sandbox.as_ref().ok().and_then(Option::as_ref);
    if found.is_some() || base.plays(Role::Scheduler) {
        registry.worker(found);
    }
    sandbox
}

/// Says how this process is.
fn readiness(
    base: &Base,
    driver: &Driver,
    followers: Followers,
    (relay, tree): (Option<watch::Receiver<RelayStatus>>, Option<watch::Receiver<TreeStatus>>),
    sandbox: &Found,
) -> http::Readiness {
    let probe = Probe {
        pool: base.pool.clone(),
        messaging: base.messaging.clone(),
        progress: base.progress.clone(),
        followers,
        relay,
        tree,
        tells_of_tree: !base.config.process.only_runs_jobs(),
        // A process that only runs jobs may not know of mails.
        tells_of_mails: !base.config.process.only_runs_jobs(),
        sandbox: base.plays(Role::Worker).then(|| match sandbox {
            Ok(Some(sandbox)) => Ok(sandbox.describe().to_string()),
            Ok(None) => Err("no sandbox".to_owned()),
            Err(reason) => Err(reason.clone()),
        }),
        background: driver.statuses(),
    };
    readiness::probe(probe)
}

fn live(base: &Base, identity: &Identity, seal: Seal, peers: Arc<Peers>) -> Live {
    let config = base.config.live.hub();
    let epoch = *base.epoch.borrow();
    let outgoing = Outgoing { recent: base.log.recent(), peers };
    Live {
        hub: Hub::new(
            base.pool.clone(),
            base.log.clone(),
            base.messaging.client().clone(),
            seal,
            epoch,
            config,
            outgoing,
            base.shutdown.clone(),
        ),
        app: base.app.clone(),
        identity: identity.clone(),
        limits: Arc::new(base.config.live.limits(base.config.requests.allowed_origins.clone())),
        shutdown: base.shutdown.clone(),
    }
}
