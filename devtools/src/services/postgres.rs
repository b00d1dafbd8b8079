//! A private Postgres: made when the data folder is empty, started, stopped, and killed when a test wants it.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};

use super::template::Template;
use super::{identity, logs, ports, processes};
use crate::child::{Child, ChildSpec, DeathSignal, RunAs, Spawner};
use crate::folder::{DataFolder, random_hex, unwritable, write_whole};
use crate::tools::{Tool, Version};

/// The roles that the service works with: what an administrator runs once.
const ROLES: &str = include_str!("../../../src/database/roles.sql");
/// The name of the superuser and of the database.
const NAME: &str = "workroom";
/// The roles that the service works with, none of them a superuser: see `src/database/roles.sql`.
const OWNER: &str = "workroom_owner";
const SERVICE: &str = "workroom_service";
const WORKER: &str = "workroom_worker";
/// How long the making of the roles may take.
const ROLES_LIMIT: Duration = Duration::from_secs(30);
/// How long recovery after a crash may take; it reads at most `max_wal_size` of log.
const START_LIMIT: Duration = Duration::from_mins(2);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const INIT_LIMIT: Duration = Duration::from_mins(2);

/// How a server is to run.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// The port; without one, that of the last start if it is free, else a free one.
    pub port: Option<u16>,
    /// Whether commits survive a power cut. Without it they survive only the death of processes, and start is faster.
    pub durable: bool,
    /// Whether the data are thrown away at the end, so that a clean shutdown is a waste of time.
    pub ephemeral: bool,
    /// More settings, over those chosen here.
    pub settings: Vec<(String, String)>,
}

/// A Postgres server over its own data folder.
#[derive(Debug)]
pub struct PostgresServer {
    spawner: Spawner,
    bin: PathBuf,
    folder: DataFolder,
    options: PostgresOptions,
    run_as: RunAs,
    port: u16,
    password: String,
    roles: Roles,
    child: Mutex<Option<Child>>,
}

/// The passwords of the roles that the service works with.
#[derive(Debug)]
struct Roles {
    owner: String,
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

/// The major version of the data in a folder, if there are any.
pub fn data_version(folder: &DataFolder) -> Option<u32> {
    let text = fs::read_to_string(data_dir(folder).join("PG_VERSION")).ok()?;
    text.trim().parse().ok()
}

fn data_dir(folder: &DataFolder) -> PathBuf {
    folder.root().join("postgres")
}

impl PostgresServer {
    /// Starts a server over the folder's data, which are made first if there are none, and waits until it accepts
    /// connections. New data are copied from the `template`, if one is given. The caller holds the folder's lock.
    pub async fn start(
        spawner: &Spawner,
        tool: &Tool,
        folder: &DataFolder,
        options: PostgresOptions,
        template: Option<Template>,
    ) -> anyhow::Result<Self> {
        let data = data_dir(folder);
        let run_as = identity::choose(spawner, &tool.path, &data, &folder.log().join("postgres-setup.log")).await?;
        let password = folder.secret("postgres")?;
        let roles = Roles {
            owner: folder.secret("postgres-owner")?,
            service: folder.secret("postgres-service")?,
            worker: folder.secret("postgres-worker")?,
        };
        // The server of an instance that was killed a moment ago still has the port.
        processes::wait_until_unused(&data).await?;
        let port = match options.port {
            Some(port) => port,
            None => ports::kept_or_free(folder, "postgres")?,
        };
        let mut server = Self {
            spawner: spawner.clone(),
            bin: tool.path.clone(),
            folder: folder.clone(),
            options,
            run_as,
            port,
            password,
            roles,
            child: Mutex::new(None),
        };
        if !data.join("PG_VERSION").exists() {
            server.initialize(&tool.version, template).await?;
        }
        server.launch_on_some_port().await?;
        folder.keep_port("postgres", server.port)?;
        if let Err(error) = server.make_roles().await {
            server.stop().await;
            return Err(error);
        }
        Ok(server)
    }

    /// The URL of the database for the service: as a role that reads and writes rows, and may do nothing else.
    pub fn url(&self) -> String {
        self.url_of(SERVICE, &self.roles.service)
    }

    /// The URL of the database as the role that owns it: for migrations and rebuilds.
    pub fn owner_url(&self) -> String {
        self.url_of(OWNER, &self.roles.owner)
    }

    /// The URL of the database as the role of processes that only run jobs.
    pub fn worker_url(&self) -> String {
        self.url_of(WORKER, &self.roles.worker)
    }

    /// The URL of the database as the superuser. The service has no use for it.
    pub fn admin_url(&self) -> String {
        self.url_of(NAME, &self.password)
    }

    fn url_of(&self, role: &str, password: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{NAME}?sslmode=disable", self.port)
    }

    /// Makes the roles that the service works with, and gives them what an earlier version kept as the superuser.
    async fn make_roles(&self) -> anyhow::Result<()> {
        let made = async {
            let mut connection = PgConnection::connect(&self.admin_url()).await?;
            sqlx::raw_sql(ROLES).execute(&mut connection).await?;
            for (role, password) in
                [(OWNER, &self.roles.owner), (SERVICE, &self.roles.service), (WORKER, &self.roles.worker)]
            {
                // Both are made of letters, digits and underscores.
                let statement = format!("ALTER ROLE {role} PASSWORD '{password}'");
                sqlx::raw_sql(&statement).execute(&mut connection).await?;
            }
            connection.close().await
        };
        match tokio::time::timeout(ROLES_LIMIT, made).await {
            Ok(made) => made.context("the roles of the private Postgres cannot be made"),
            Err(_) => bail!("the private Postgres does not answer: its roles cannot be made"),
        }
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's data, for tests that look at its size or fill its disk.
    pub fn data_dir(&self) -> PathBuf {
        data_dir(&self.folder)
    }

    /// The postmaster's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child().filter(Child::is_running).map(|child| child.pid())
    }

    /// Returns once the server has ended, however that came about; at once while there is none.
    pub async fn ended(&self) {
        if let Some(child) = self.child() {
            child.wait().await;
        }
    }

    /// Kills the postmaster with SIGKILL; its sessions notice and end by themselves.
    pub async fn kill9(&self) {
        if let Some(child) = self.child() {
            child.kill9().await;
        }
    }

    /// Stops it: cleanly within 20 seconds, else by force. An ephemeral one is stopped without a checkpoint.
    pub async fn stop(&self) {
        if let Some(child) = self.child() {
            child.stop(self.death_signal().signal(), STOP_LIMIT).await;
        }
        // Only killed postmasters leave sessions behind; a failure to end them shows at the next start.
        let _ = processes::wait_until_unused(&self.data_dir()).await;
    }

    /// Starts it again on the same port over the same data, stopping it first if it runs.
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

    fn child(&self) -> Option<Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn death_signal(&self) -> DeathSignal {
        if self.options.ephemeral { DeathSignal::Quit } else { DeathSignal::Int }
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
        bail!("Postgres cannot have port {}: another program uses it", self.port)
    }

    async fn launch(&self) -> Result<(), Launch> {
        let data = self.data_dir();
        processes::wait_until_unused(&data).await?;
        identity::give(&data, self.run_as)?;
        remove_misleading_pid_file(&data);
        let log = self.folder.log().join("postgres.log");
        let from = logs::end(&log);
        let mut spec = ChildSpec::new(self.bin.join("postgres"), &log).arg("-D").arg(&data).args(self.settings());
        spec.run_as = self.run_as;
        spec.cwd = Some(data.clone());
        spec.death_signal = self.death_signal();
        let child = self.spawner.spawn(&spec)?;
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child.clone());
        let start = Instant::now();
        while !is_ready(&data, child.pid()) {
            if !child.is_running() {
                if logs::port_is_taken(&log, from) {
                    return Err(Launch::PortTaken);
                }
                return Err(Launch::Failed(anyhow!("Postgres did not start: {}", logs::reason(&log, from))));
            }
            if start.elapsed() > START_LIMIT {
                child.kill9().await;
                return Err(Launch::Failed(anyhow!(
                    "Postgres was not ready after {} seconds: {}",
                    START_LIMIT.as_secs(),
                    logs::reason(&log, from)
                )));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn settings(&self) -> Vec<String> {
        let on = |yes: bool| if yes { "on" } else { "off" };
        let port = self.port.to_string();
        let chosen = [
            ("listen_addresses", "127.0.0.1"),
            ("port", port.as_str()),
            // Loopback with a password only: a socket's path has a length limit that deep data folders exceed.
            ("unix_socket_directories", ""),
            ("fsync", on(self.options.durable)),
            ("full_page_writes", on(self.options.durable)),
            // Also without fsync: then a commit is with the kernel, and survives any death of processes.
            ("synchronous_commit", "on"),
            ("wal_compression", on(self.options.durable)),
            ("max_wal_size", "2GB"),
            ("shared_buffers", "128MB"),
            ("checkpoint_timeout", "15min"),
            ("max_connections", "200"),
            ("jit", "off"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("logging_collector", "off"),
            ("log_destination", "stderr"),
        ];
        let chosen = chosen.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let all = chosen.chain(self.options.settings.iter().cloned());
        all.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect()
    }

    /// Makes the data in a sibling folder and renames it, so that a killed start leaves no half-made data.
    async fn initialize(&mut self, version: &Version, template: Option<Template>) -> anyhow::Result<()> {
        let folder = self.folder.clone();
        let root = folder.root();
        clean_up(root);
        let temporary = root.join(format!("postgres.new-{}", random_hex::<4>()?));
        DirBuilder::new().mode(0o700).create(&temporary).map_err(|error| unwritable(root, &error))?;
        identity::give(&temporary, self.run_as)?;
        self.make_or_copy(&temporary, version, template).await?;
        let target = data_dir(&self.folder);
        // What is there has no PG_VERSION: it is no database.
        let _ = fs::remove_dir_all(&target);
        fs::rename(&temporary, &target)
            .and_then(|()| File::open(root)?.sync_all())
            .map_err(|error| unwritable(root, &error))
    }

    async fn make_or_copy(&mut self, data: &Path, version: &Version, template: Option<Template>) -> anyhow::Result<()> {
        if let Some((template, password)) =
            template.as_ref().and_then(|template| Some((template, template.password()?)))
        {
            template.copy_to(data).map_err(|error| unwritable(self.folder.root(), &error))?;
            identity::give(data, self.run_as)?;
            self.password = password;
            return Ok(());
        }
        let password_file = beside(data, "password");
        write_whole(&password_file, &self.password, 0o600)?;
        identity::give(&password_file, self.run_as)?;
        let result = self.fill(data, &password_file, version).await;
        // Swept at the next start if it fails.
        let _ = fs::remove_file(&password_file);
        if let (Ok(()), Some(template)) = (&result, template) {
            template.save(data, &self.password);
        }
        result
    }

    async fn fill(&self, data: &Path, password_file: &Path, version: &Version) -> anyhow::Result<()> {
        let log = self.folder.log().join("postgres-setup.log");
        let locale: &[&str] =
            if version.major() >= 17 { &["--locale-provider=builtin", "--locale=C.UTF-8"] } else { &["--locale=C"] };
        let initdb = ChildSpec::new(self.bin.join("initdb"), &log)
            .arg("-D")
            .arg(data)
            // One sync of everything, below, takes a fraction of the time of a thousand single ones.
            .args(["--username", NAME, "--encoding=UTF8", "--auth=scram-sha-256", "--no-instructions", "--no-sync"])
            .args(locale)
            .arg("--pwfile")
            .arg(password_file);
        self.run_setup(initdb, "initdb").await?;
        // Single-user mode, because a fetched Postgres comes without any client program.
        let statements = beside(data, "sql");
        fs::write(&statements, format!("CREATE DATABASE {NAME};\n"))
            .map_err(|error| unwritable(self.folder.root(), &error))?;
        let mut single = ChildSpec::new(self.bin.join("postgres"), &log).arg("--single").arg("-D").arg(data).args([
            "-F",
            "-c",
            "exit_on_error=on",
            "postgres",
        ]);
        single.stdin = Some(statements.clone());
        let result = self.run_setup(single, "the creation of the database").await;
        let _ = fs::remove_file(&statements);
        if self.options.durable {
            sync(data).await?;
        }
        result
    }

    async fn run_setup(&self, mut spec: ChildSpec, what: &str) -> anyhow::Result<()> {
        let log = spec.log.clone().unwrap_or_default();
        let from = logs::end(&log);
        spec.run_as = self.run_as;
        let status = self.spawner.run(&spec, INIT_LIMIT).await?;
        if !status.success() {
            bail!("{what} failed: {}", logs::reason(&log, from));
        }
        Ok(())
    }
}

/// Writes all of a new cluster to disk, as the server, from now on, does for each change.
async fn sync(data: &Path) -> anyhow::Result<()> {
    let folder = File::open(data).map_err(|error| unwritable(data, &error))?;
    let root = data.to_owned();
    tokio::task::spawn_blocking(move || sync_file_system(&folder).map_err(|error| unwritable(&root, &error.into())))
        .await
        .context("the new database could not be written to disk")?
}

#[cfg(target_os = "linux")]
fn sync_file_system(folder: &File) -> nix::Result<()> {
    nix::unistd::syncfs(folder)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_: &File) -> nix::Result<()> {
    nix::unistd::sync();
    Ok(())
}

/// A file beside half-made data, named so that it is swept with them.
fn beside(data: &Path, what: &str) -> PathBuf {
    let mut path = data.as_os_str().to_owned();
    path.push("-");
    path.push(what);
    PathBuf::from(path)
}

/// Removes what killed starts left of half-made data.
fn clean_up(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with("postgres.new-") {
            // Best effort: every start uses a new name.
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
}

/// Removes the pid file of a killed postmaster if its process id now belongs to a stranger, which would be taken for a
/// running postmaster. Otherwise it stays: Postgres itself checks through it that no old session is left.
fn remove_misleading_pid_file(data: &Path) {
    let path = data.join("postmaster.pid");
    let pid = fs::read_to_string(&path).ok().and_then(|text| text.lines().next()?.trim().parse().ok());
    let is_alive = |pid: i32| pid > 0 && kill(Pid::from_raw(pid), None).is_ok();
    if pid.is_some_and(is_alive) {
        let _ = fs::remove_file(path);
    }
}

/// The postmaster writes its state into the eighth line of its pid file.
fn is_ready(data: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
}
