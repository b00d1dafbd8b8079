//! Two instances, what they stand on, and everybody who uses them.

use std::path::PathBuf;

use serde_json::json;

use super::{clients::Clients, flood::Flood, random::Random, report::Report, truth};
use crate::{
    event_store::log::assert_whole,
    live::door::Door,
    support::{Server, World, data_dir},
};

/// Clients, each of which follows all projects.
const FOLLOWERS: usize = 20;
const PROJECTS: [&str; 5] = ["Mercury", "Gemini", "Apollo", "Skylab", "Voyager"];

/// What a drill wants.
pub struct Plan {
    /// The folder in which records are left when something is wrong.
    pub name: &'static str,
    /// Clients that send commands.
    pub writers: usize,
    /// Whether clients notice at once when their connection is silent; else as they do by themselves.
    pub is_quick: bool,
}

/// All of it. In the order of dropping: nobody misses what is gone already.
pub struct Stage {
    pub random: Random,
    pub clients: Clients,
    pub flood: Flood,
    /// Each is away for a moment now and then.
    pub(super) servers: [Option<Server>; 2],
    pub(super) door_to_nats: Door,
    pub(super) world: World,
    pub(super) projects: Vec<String>,
    folder: PathBuf,
}

/// Where NATS is: `host:port`.
pub(super) fn nats_address(world: &World) -> String {
    format!("127.0.0.1:{}", world.nats().port())
}

/// An instance; the second one reaches NATS by the door.
async fn start(world: &World, door_to_nats: &Door, number: usize) -> Server {
    let url = world.nats_url().replace(&nats_address(world), &door_to_nats.address);
    let by_door = [("NATS_URL", url.as_str())];
    world.server_with(&[], if number == 0 { &[] } else { &by_door }).await
}

fn addresses(servers: &[Option<Server>; 2]) -> Vec<String> {
    servers.iter().flatten().map(|server| server.address.clone()).collect()
}

impl Stage {
    /// Starts everything; returns when all clients follow all projects.
    pub async fn new(plan: &Plan) -> Self {
        let random = Random::from_environment();
        let folder = data_dir().join("drills").join(plan.name);
        // What an earlier drill has left.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let world = World::with_own_postgres().await;
        let door_to_nats = Door::to(&nats_address(&world)).await;
        let servers = tokio::join!(start(&world, &door_to_nats, 0), start(&world, &door_to_nats, 1));
        let ada = servers.0.person("ada").await;
        let mut projects = Vec::new();
        for name in PROJECTS {
            projects.push(ada.project(name).await);
        }
        let servers = [Some(servers.0), Some(servers.1)];
        let clients = Clients::start(json!({
            "seed": random.seed,
            "folder": folder,
            "targets": addresses(&servers),
            "feeds": projects,
            "account": {"email": ada.email, "password": ada.password},
            "followers": FOLLOWERS,
            "writers": plan.writers,
            "quick": plan.is_quick,
        }))
        .await;
        let flood = Flood::begin(world.pool().await, &projects, clients.heard(), &folder).await;
        Self { random, clients, flood, servers, door_to_nats, world, projects, folder }
    }

    /// Takes an instance away.
    pub(super) fn take(&mut self, number: usize) -> Server {
        self.servers[number].take().expect("a running instance")
    }

    /// Starts an instance in the place of one that was taken away, and sends clients there, too.
    pub(super) async fn start(&mut self, number: usize) {
        self.servers[number] = Some(start(&self.world, &self.door_to_nats, number).await);
        self.clients.turn_to(&addresses(&self.servers)).await;
    }

    /// Waits until every client has received what was to be written so far.
    pub async fn all_go_on(&mut self, what: &str) {
        let goal = self.flood.goal();
        self.clients.come_to(goal, what).await;
    }

    /// How often NATS has given up on somebody who took nothing.
    pub fn slow_consumers(&self) -> usize {
        let path = self.world.services().folder().log().join("nats.log");
        std::fs::read_to_string(path).expect("the log of NATS").to_lowercase().matches("slow consumer").count()
    }

    /// Ends the writers, and insists that each client has each event of the log once, in order.
    pub async fn finish(mut self) -> Report {
        self.clients.settle().await;
        let told = self.flood.end().await;
        // Connections of an earlier pool may have ended with Postgres.
        assert_whole(&self.world.pool().await).await;
        let truth = self.folder.join("truth.ndjson");
        truth::write(&self.world.database_url, &self.projects, &truth).await;
        let report = self.clients.finish(&truth, &told).await;
        report.print();
        assert!(report.clean, "see {}", self.folder.display());
        std::fs::remove_dir_all(&self.folder).expect("an end of the records");
        report
    }
}
