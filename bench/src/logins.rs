//! `./dev bench logins`: what a flood of sign-ins costs those who are signed in.
//!
//! A reader asks for a project at a steady rate, first alone, then beside a flood of sign-ins with wrong passwords: from
//! ever new addresses (each password is compared), and from one address (most are throttled). Besides, the memory that
//! the flood makes the service occupy, and what one verification of an access token costs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use hyper::{Method, body::Bytes};
use serde_json::json;
use workroom::identity::{
    access_token::{AccessTokenConfig, AccessTokenIssuer, AccessTokenVerifier},
    signing_key::{KeyRing, SharedKeyRing, SigningKey},
};
use workroom_dev::{child::workroom_bin, services::Services};

use crate::{
    Options,
    commands::{found_project, sign_in},
    http_client::Connection,
    report::{bar, line, progress},
    samples::{Figures, median},
    server::{Server, services},
};

/// Sign-ins a second.
const FLOOD: u32 = 500;
/// Connections that they come over: more than the service lets wait, so that the rate is kept up.
const FLOODERS: usize = 256;
/// Reads a second of the one who is signed in.
const READS: u32 = 200;
/// Microseconds in which an access token is verified.
const VERIFY_BAR: f64 = 100.0;

struct Stage {
    server: Server,
    services: Services,
    reader: Connection,
    path: String,
}

/// Runs the benchmark.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let mut stage = Stage::prepare().await?;
    let mut rounds: [Vec<Figures>; 3] = Default::default();
    let mut answered = [0; 2];
    let before = stage.server.resident_mib();
    for round in 1..=options.rounds.max(1) {
        progress(&format!("round {round}: idle"));
        rounds[0].push(stage.read(options.duration()).await?);
        for (at, name) in [(1, "ever new addresses"), (2, "one address")] {
            progress(&format!("round {round}: {FLOOD} sign-ins a second from {name}"));
            let flood = Flood::start(&stage.server.address, at == 1).await?;
            rounds[at].push(stage.read(options.duration()).await?);
            answered[at - 1] += flood.stop().await;
        }
    }
    let after = stage.server.resident_mib();
    stage.server.stop().await;
    stage.services.stop().await;
    let [idle, new, one] = rounds.map(|figures| Figures::median(&figures));
    line(&format!("{:<46}{:>10}{:>10}{:>10}", "a read of somebody signed in", "p50 ms", "p99 ms", "ratio"));
    for (name, figures) in [
        ("alone".to_owned(), idle),
        (format!("beside {FLOOD} sign-ins/s, ever new addresses"), new),
        (format!("beside {FLOOD} sign-ins/s, one address"), one),
    ] {
        let ratio = figures.p99_us / idle.p99_us;
        line(&format!("{name:<46}{:>10.2}{:>10.2}{ratio:>10.2}", figures.p50_us / 1e3, figures.p99_us / 1e3));
    }
    line(&format!("sign-ins answered: {} from new addresses, {} from one", answered[0], answered[1]));
    let cores = std::thread::available_parallelism()?.get();
    if let (Some(before), Some(after)) = (before, after) {
        let (most, more) = (f64::from(u32::try_from(cores * 19 + 64)?), after - before);
        bar(more <= most, &format!("memory: {before:.0} MiB before, {after:.0} MiB after ({more:+.0}; bar {most:.0})"));
    }
    let (cold, warm) = verification()?;
    let times = format!("{cold:.1} µs the first time, {warm:.1} µs again");
    let told = format!("verifying an access token: {times} (bar {VERIFY_BAR:.0})");
    bar(cold <= VERIFY_BAR && warm <= VERIFY_BAR, &told);
    options.write(json!({"idle": idle.json(), "new_addresses": new.json(), "one_address": one.json(),
        "resident_mib": {"before": before, "after": after}, "verify_us": {"cold": cold, "warm": warm}}))
}

impl Stage {
    async fn prepare() -> anyhow::Result<Self> {
        let binary = workroom_bin()?;
        let services = services().await?;
        let server = Server::start(&binary, services.owner_url(), services.nats_url()).await?;
        let mut reader = Connection::open(&server.address).await?;
        sign_in(&mut reader).await?;
        let path = format!("/api/v1/projects/{}", found_project(&mut reader).await?);
        Ok(Self { server, services, reader, path })
    }

    /// Reads at a steady rate. A reply that comes late delays no request but the next: what it waited counts as well.
    async fn read(&mut self, duration: Duration) -> anyhow::Result<Figures> {
        let begun = Instant::now();
        let mut latencies = Vec::new();
        for count in 0.. {
            let due = begun + Duration::from_secs(1) / READS * count;
            if due >= begun + duration {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            self.reader.send(Method::GET, &self.path, Bytes::new()).await?;
            latencies.push(u32::try_from(due.elapsed().as_micros())?);
        }
        Ok(Figures::of(latencies, begun.elapsed()))
    }
}

/// Sign-ins with wrong passwords, at a steady rate.
struct Flood {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

impl Flood {
    async fn start(address: &str, new_addresses: bool) -> anyhow::Result<Self> {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = Vec::new();
        let begun = Instant::now();
        for flooder in 0..FLOODERS {
            let mut connection = Connection::open(address).await?;
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tasks.push(tokio::spawn(async move {
                let every = Duration::from_secs(1) * u32::try_from(FLOODERS)? / FLOOD;
                let mut due = begun + every * u32::try_from(flooder)? / u32::try_from(FLOODERS)?;
                for count in 0_u32.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    tokio::time::sleep_until(due.into()).await;
                    // Who waits for an answer sends nothing meanwhile; it is not made up for.
                    due = (due + every).max(Instant::now());
                    let from = if new_addresses {
                        format!("2001:db8:{flooder:x}:{:x}::1", count % 0xffff)
                    } else {
                        "203.0.113.7".to_owned()
                    };
                    let email = format!("nobody-{flooder}-{count}@example.com");
                    let body = json!({"email": email, "password": "a wrong password"}).to_string();
                    connection.forwarded(&from, "/api/v1/auth/login", Bytes::from(body)).await?;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        // The hasher's queue fills within the first second.
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Self { stop, answered, tasks })
    }

    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            if let Ok(Err(error)) = task.await {
                progress(&format!("a flooder gave up: {error:#}"));
            }
        }
        self.answered.load(Ordering::Relaxed)
    }
}

/// Microseconds that it takes to check a token, the first time and again: medians.
fn verification() -> anyhow::Result<(f64, f64)> {
    let keys = SharedKeyRing::new(KeyRing::new(SigningKey::generate()?, []));
    let config = AccessTokenConfig::new("bench", "bench");
    let issuer = AccessTokenIssuer::new(config.clone(), keys.clone())?;
    let verifier = AccessTokenVerifier::new(config, keys)?;
    let now = workroom::clock::now();
    let tokens: Vec<_> = (0..1000)
        .map(|_| issuer.issue(uuid::Uuid::now_v7(), uuid::Uuid::now_v7(), now).map(|issued| issued.token))
        .collect::<Result<_, _>>()?;
    let pass = || -> anyhow::Result<f64> {
        let mut micros = Vec::with_capacity(tokens.len());
        for token in &tokens {
            let begun = Instant::now();
            verifier.verify(token, now).context("a sound token was refused")?;
            micros.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        Ok(median(micros.into_iter()))
    };
    Ok((pass()?, pass()?))
}
