//! What is done to the instances, to NATS, and to Postgres.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use workroom::messaging::{Messaging, header};

use super::{
    flood::LARGE,
    stage::{Stage, nats_address},
};
use crate::support::eventually;

/// How long something is away at most; the moment at which it comes back is what varies.
const LONGEST_AWAY: Duration = Duration::from_secs(2);
/// How long an instance stands still.
const FREEZE: Duration = Duration::from_secs(3);
/// How long NATS is away for a moment.
const BLINK: Duration = Duration::from_millis(50);
/// More than all buffers between NATS and an instance hold, in bytes.
const BURST: usize = 30_000_000;
/// How long Postgres may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    KillInstance,
    RestartBothInTurn,
    FreezeInstance,
    KillNats,
    WipeNats,
    FreezeNatsForABlink,
    CutNatsForABlink,
    SlowConsumer,
    StopPostgres,
    CrashPostgres,
}

impl Fault {
    pub const ALL: [Self; 10] = [
        Self::KillInstance,
        Self::RestartBothInTurn,
        Self::FreezeInstance,
        Self::KillNats,
        Self::WipeNats,
        Self::FreezeNatsForABlink,
        Self::CutNatsForABlink,
        Self::SlowConsumer,
        Self::StopPostgres,
        Self::CrashPostgres,
    ];
}

fn signal(pid: Option<u32>, signal: Signal) {
    let pid = i32::try_from(pid.expect("a running server")).expect("a pid");
    kill(Pid::from_raw(pid), signal).expect("a running server");
}

impl Stage {
    /// Does this; returns when everything is there again.
    pub async fn harm(&mut self, fault: Fault) {
        match fault {
            Fault::KillInstance => {
                let victim = self.random.below(2);
                self.take(victim).kill9().await;
                self.wait().await;
                self.start(victim).await;
            }
            Fault::RestartBothInTurn => {
                for victim in 0..2 {
                    assert!(self.take(victim).stop().await, "an instance ends well");
                    self.start(victim).await;
                }
            }
            Fault::FreezeInstance => {
                let victim = self.random.below(2);
                let server = self.servers[victim].as_ref().expect("a running instance");
                server.signal(Signal::SIGSTOP);
                tokio::time::sleep(FREEZE).await;
                server.signal(Signal::SIGCONT);
            }
            Fault::KillNats => {
                self.world.nats().kill9().await;
                self.wait().await;
                self.world.nats().restart().await.expect("NATS again");
            }
            Fault::WipeNats => self.world.nats().wipe_store().await.expect("an empty NATS"),
            Fault::FreezeNatsForABlink => {
                signal(self.world.nats().pid(), Signal::SIGSTOP);
                tokio::time::sleep(BLINK).await;
                signal(self.world.nats().pid(), Signal::SIGCONT);
            }
            Fault::CutNatsForABlink => {
                self.door_to_nats.shut();
                tokio::time::sleep(BLINK).await;
                self.door_to_nats.lead_to(&nats_address(&self.world));
            }
            Fault::SlowConsumer => self.slow_consumer().await,
            Fault::StopPostgres => {
                let postgres = self.world.services().postgres().expect("a Postgres of one's own");
                // A fast shutdown: sessions are ended, and a checkpoint is written.
                signal(postgres.pid(), Signal::SIGINT);
                tokio::time::timeout(STOP_LIMIT, postgres.ended()).await.expect("an end in time");
                postgres.restart().await.expect("Postgres again");
            }
            Fault::CrashPostgres => {
                let postgres = self.world.services().postgres().expect("a Postgres of one's own");
                // One that is thrown away afterwards is stopped at once, without a checkpoint.
                postgres.restart().await.expect("Postgres again");
            }
        }
    }

    async fn wait(&mut self) {
        let away = self.random.duration_below(LONGEST_AWAY);
        tokio::time::sleep(away).await;
    }

    /// An instance takes nothing while much is published, until NATS gives up on it. What is published are copies of old events, which
    /// it passes over when it goes on: it is not kept busy by this.
    async fn slow_consumer(&self) {
        // The one without a door, which would take a part.
        let server = self.servers[0].as_ref().expect("a running instance");
        let before = self.slow_consumers();
        server.signal(Signal::SIGSTOP);
        self.publish_old_copies(BURST / LARGE).await;
        // After the ten seconds that it waits for anybody.
        eventually("NATS gives up on an instance", async || self.slow_consumers() > before).await;
        server.signal(Signal::SIGCONT);
    }

    async fn publish_old_copies(&self, count: usize) {
        let messaging = Messaging::connect(self.world.nats_url()).await.expect("an address");
        messaging.connected().await;
        let nats = messaging.client();
        let mut headers = HeaderMap::new();
        headers.insert(header::FEED_SEQ, "1");
        let payload = Bytes::from(vec![b'x'; LARGE]);
        for _ in 0..count {
            let subject = format!("live.{}", self.projects[0]);
            nats.publish_with_headers(subject, headers.clone(), payload.clone()).await.expect("NATS");
        }
        nats.flush().await.expect("NATS");
    }
}
