//! A private NATS with JetStream: started, stopped, killed, and emptied when a test wants it.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use super::{identity, logs, ports, processes};
use crate::address;
use crate::child::{Child, ChildSpec, DeathSignal, RunAs, Spawner};
use crate::folder::{DataFolder, unwritable, write_whole};
use crate::tools::Tool;

/// The user of processes that do not only run jobs, and what it may publish and subscribe to.
const SERVICE: &str = "workroom";
const SERVICE_MAY: (&[&str], &[&str]) = (
    &["events.>", "jobs.>", "live.>", "workroom.>", "_INBOX.>", "$JS.API.>", "$JS.ACK.>", "$JS.FC.>"],
    &["events.>", "live.>", "workroom.>", "_INBOX.>"],
);
/// The user of processes that only run jobs, and what it may publish and subscribe to: take jobs, acknowledge them, ring,
/// and hear that it should look whether what it runs was cancelled.
const WORKER: &str = "worker";
const WORKER_MAY: (&[&str], &[&str]) = (
    &[
        "$JS.API.CONSUMER.INFO.JOBS.sandbox",
        "$JS.API.CONSUMER.MSG.NEXT.JOBS.sandbox",
        "$JS.ACK.JOBS.sandbox.>",
        "workroom.*.ring",
        "workroom.*.output.*",
    ],
    &["_INBOX_worker.>", "workroom.*.stop.*"],
);

const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How a server is to run.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// The port; without one, that of the last start if it is free, else a free one.
    pub port: Option<u16>,
    /// The largest message in bytes.
    pub max_payload: u64,
    /// Whether clients sign in, with the user and the random password of the URL, and may do what their user may.
    pub password: bool,
    /// Whether every stored message is synced to disk before it is acknowledged.
    pub sync_always: bool,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self { port: None, max_payload: 4 * 1024 * 1024, password: true, sync_always: false }
    }
}

/// A NATS server over its own store.
#[derive(Debug)]
pub struct NatsServer {
    spawner: Spawner,
    program: PathBuf,
    folder: DataFolder,
    options: NatsOptions,
    run_as: RunAs,
    port: u16,
    passwords: Option<Passwords>,
    child: Mutex<Option<Child>>,
}

/// The passwords of the server's users.
#[derive(Debug)]
struct Passwords {
    service: String,
    worker: String,
}

/// Why a launch failed: only a taken port is worth another try.
enum Launch {
    PortTaken,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Launch {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// The users of the server and what each may do, as `nats.conf` at the root has them.
fn users(passwords: &Passwords) -> serde_json::Value {
    let user = |user: &str, password: &str, permissions: (&[&str], &[&str])| {
        let (publish, subscribe) = permissions;
        let permissions = serde_json::json!({ "publish": publish, "subscribe": subscribe });
        serde_json::json!({ "user": user, "password": password, "permissions": permissions })
    };
    serde_json::json!({ "users": [
        user(SERVICE, &passwords.service, SERVICE_MAY),
        user(WORKER, &passwords.worker, WORKER_MAY),
    ] })
}

fn store_dir(folder: &DataFolder) -> PathBuf {
    folder.root().join("nats")
}

impl NatsServer {
    /// Starts a server over the folder's store and waits until it greets. The caller holds the folder's lock.
    pub async fn start(
        spawner: &Spawner,
        tool: &Tool,
        folder: &DataFolder,
        options: NatsOptions,
    ) -> anyhow::Result<Self> {
        let passwords = if options.password {
            Some(Passwords { service: folder.secret("nats")?, worker: folder.secret("nats-worker")? })
        } else {
            None
        };
        let log = folder.log().join("nats.log");
        let run_as = identity::without_root(spawner, &tool.path, &store_dir(folder), &log).await;
        // The server of an instance that was killed a moment ago still has the port.
        processes::wait_until_unused(&store_dir(folder)).await?;
        let port = match options.port {
            Some(port) => port,
            None => ports::kept_or_free(folder, "nats")?,
        };
        let mut server = Self {
            spawner: spawner.clone(),
            program: tool.path.clone(),
            folder: folder.clone(),
            options,
            run_as,
            port,
            passwords,
            child: Mutex::new(None),
        };
        server.launch_on_some_port().await?;
        folder.keep_port("nats", server.port)?;
        Ok(server)
    }

    /// The server's URL for the service, with its password.
    pub fn url(&self) -> String {
        self.url_of(SERVICE, |passwords| &passwords.service)
    }

    /// The server's URL for a process that only runs jobs, with its password.
    pub fn worker_url(&self) -> String {
        self.url_of(WORKER, |passwords| &passwords.worker)
    }

    fn url_of(&self, user: &str, password: impl Fn(&Passwords) -> &String) -> String {
        match &self.passwords {
            Some(passwords) => format!("nats://{user}:{}@127.0.0.1:{}", password(passwords), self.port),
            None => format!("nats://127.0.0.1:{}", self.port),
        }
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its streams.
    pub fn store_dir(&self) -> PathBuf {
        store_dir(&self.folder)
    }

    /// The server's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child().filter(Child::is_running).map(|child| child.pid())
    }

    /// Returns once the server has ended, however that came about; at once while there is none.
    pub async fn ended(&self) {
        if let Some(child) = self.child() {
            child.wait().await;
        }
    }

    /// Kills it with SIGKILL.
    pub async fn kill9(&self) {
        if let Some(child) = self.child() {
            child.kill9().await;
        }
    }

    /// Stops it: cleanly within 10 seconds, else by force.
    pub async fn stop(&self) {
        if let Some(child) = self.child() {
            child.stop(DeathSignal::Term.signal(), STOP_LIMIT).await;
        }
    }

    /// Starts it again on the same port over the same store, stopping it first if it runs.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.stop().await;
        let patience = Instant::now();
        loop {
            match self.launch().await {
                Ok(()) => return Ok(()),
                Err(Launch::Failed(error)) => return Err(error),
                Err(Launch::PortTaken) if patience.elapsed() > Duration::from_secs(5) => {
                    bail!("port {} is taken by another program", self.port)
                }
                Err(Launch::PortTaken) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Throws all streams and consumers away, as a lost disk would: kills the server, empties its store, and starts it
    /// again if it ran.
    pub async fn wipe_store(&self) -> anyhow::Result<()> {
        let ran = self.pid().is_some();
        self.kill9().await;
        processes::wait_until_unused(&self.store_dir()).await?;
        fs::remove_dir_all(self.store_dir()).map_err(|error| unwritable(self.folder.root(), &error))?;
        if ran { self.restart().await } else { Ok(()) }
    }

    fn child(&self) -> Option<Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn launch_on_some_port(&mut self) -> anyhow::Result<()> {
        for _ in 0..5 {
            match self.launch().await {
                Ok(()) => return Ok(()),
                Err(Launch::Failed(error)) => return Err(error),
                Err(Launch::PortTaken) if self.options.port.is_some() => break,
                Err(Launch::PortTaken) => self.port = ports::free()?,
            }
        }
        bail!("NATS cannot have port {}: another program uses it", self.port)
    }

    async fn launch(&self) -> Result<(), Launch> {
        let store = self.store_dir();
        fs::create_dir_all(&store).map_err(|error| unwritable(self.folder.root(), &error))?;
        processes::wait_until_unused(&store).await?;
        if !ports::is_free(self.port) {
            return Err(Launch::PortTaken);
        }
        let settings = self.folder.root().join("nats.conf");
        write_whole(&settings, &self.settings(), 0o600)?;
        identity::give(&settings, self.run_as)?;
        identity::give(&store, self.run_as)?;
        let log = self.folder.log().join("nats.log");
        let from = logs::end(&log);
        let mut spec = ChildSpec::new(&self.program, &log).arg("--config").arg(&settings);
        spec.run_as = self.run_as;
        spec.cwd = Some(store);
        spec.death_signal = DeathSignal::Term;
        let child = self.spawner.spawn(&spec)?;
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child.clone());
        let start = Instant::now();
        // Where it greets is asked of this child's port only while this child runs: another one's greeting does not count.
        while !self.greets().await || !child.is_running() {
            if !child.is_running() {
                if logs::port_is_taken(&log, from) {
                    return Err(Launch::PortTaken);
                }
                return Err(Launch::Failed(anyhow!("NATS did not start: {}", logs::reason(&log, from))));
            }
            if start.elapsed() > START_LIMIT {
                child.kill9().await;
                return Err(Launch::Failed(anyhow!(
                    "NATS was not ready after {} seconds: {}",
                    START_LIMIT.as_secs(),
                    logs::reason(&log, from)
                )));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn greets(&self) -> bool {
        let address = address::loopback(self.port);
        let greeting = tokio::time::timeout(Duration::from_secs(1), address::nats_answers(&address)).await;
        matches!(greeting, Ok(Ok(true)))
    }

    fn settings(&self) -> String {
        // JSON is a subset of the format of NATS's settings, and its quoting is exact.
        let mut settings = serde_json::json!({
            "server_name": "workroom",
            "listen": format!("127.0.0.1:{}", self.port),
            "max_payload": self.options.max_payload,
            "jetstream": { "store_dir": self.store_dir().to_string_lossy() },
        });
        if self.options.sync_always {
            settings["jetstream"]["sync_interval"] = "always".into();
        }
        if let Some(passwords) = &self.passwords {
            settings["authorization"] = users(passwords);
        }
        format!("{settings:#}\n")
    }
}
