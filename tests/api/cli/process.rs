//! A `workroom` process, and what may be left of it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
};
use workroom_dev::{
    folder::DataFolder,
    tools::{self, ToolStore},
};

use crate::support::{eventually, workroom, workroom_dev};

/// The folder whose tools all tests share.
fn shared() -> std::path::PathBuf {
    std::env::var_os("WORKROOM_DATA_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".workroom"), Into::into)
}

/// A new data folder with nothing in it but the tools.
pub async fn data_folder() -> TempDir {
    tokio::task::spawn_blocking(|| {
        let shared = DataFolder::open(&shared()).expect("a shared folder");
        let store = ToolStore::new(&shared);
        for recipe in [&tools::postgres::RECIPE, &tools::nats_server::RECIPE] {
            recipe.ensure(&store).expect("a tool");
        }
        // Postgres may have to run as another user, who must be able to enter.
        let open = fs::Permissions::from_mode(0o755);
        let temporary = tempfile::Builder::new().prefix("workroom-").permissions(open).tempdir().expect("a folder");
        let folder = DataFolder::open(temporary.path()).expect("a data folder");
        fs::remove_dir(folder.tools()).expect("no tools yet");
        symlink(fs::canonicalize(shared.tools()).expect("tools"), folder.tools()).expect("a link");
        temporary
    })
    .await
    .expect("a folder")
}

/// A command of `workroom` with an environment of its own.
pub fn command(arguments: &[&str]) -> Command {
    of(workroom(), arguments)
}

/// A command of `workroom-dev` with an environment of its own.
pub fn dev(arguments: &[&str]) -> Command {
    let mut command = of(&workroom_dev(), arguments);
    command.env("WORKROOM_BIN", workroom());
    command
}

fn of(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env_remove("NATS_URL")
        .env_remove("WORKROOM_DATA_DIR")
        .env("RUST_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end, which must come within a time.
pub async fn run(mut command: Command, within: Duration) -> Output {
    tokio::time::timeout(within, command.output()).await.expect("an end in time").expect("a process")
}

/// Insists that a command failed with one sentence, which names all of these and shows no secret.
#[track_caller]
pub fn assert_one_sentence(output: &Output, names: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 0), "{:?}: {text}", output.status);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].starts_with("workroom: "), "{text}");
    for name in names {
        assert!(text.contains(name), "{name:?} is not named: {text}");
    }
    for bad in ["panicked", "backtrace", "swordfish", "Error {", "Os {"] {
        assert!(!text.contains(bad), "{text}");
    }
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(!out.contains("ready") && !out.contains("listens"), "{out}");
}

/// A running `workroom-dev up`; killed when dropped.
pub struct Up {
    child: Child,
    /// Where it listens.
    pub address: String,
}

impl Up {
    /// Starts over a folder, and waits until it is ready.
    pub async fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[]).await
    }

    /// Starts over a folder with these variables, and waits until it is ready.
    pub async fn start_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = dev(&["up", "--port", "0", "--data-dir", folder.to_str().expect("a path")]);
        command.envs(variables.iter().copied());
        Self::spawn(command).await
    }

    /// The process of the service.
    pub fn service(&self) -> Pid {
        let parent = self.child.id().expect("a running process").to_string();
        let processes = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
        let mut services = processes.filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // proc_pid_stat(5): the name in parentheses, the state, the parent.
            let (before, after) = stat.rsplit_once(')')?;
            let is_it = before.ends_with("(workroom") && after.split_whitespace().nth(1) == Some(parent.as_str());
            is_it.then(|| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw)).flatten()
        });
        services.next().expect("a service")
    }

    /// Waits for the end.
    pub async fn ended(mut self) -> ExitStatus {
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        ended.expect("an end in time").expect("a status")
    }

    async fn spawn(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::inherit()).spawn().expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.expect("a line") {
                if let Some(address) = line.strip_prefix("Workroom is ready at http://") {
                    return address.trim().to_owned();
                }
            }
            panic!("it ended before it was ready");
        };
        let address = tokio::time::timeout(Duration::from_secs(60), ready).await.expect("ready in time");
        // What it prints further must not fill the pipe.
        tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
        Self { child, address }
    }

    /// Sends a signal and waits for the end.
    pub async fn end_by(self, signal: Signal) -> ExitStatus {
        let pid = i32::try_from(self.child.id().expect("a running process")).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("a running process");
        self.ended().await
    }
}

/// A `workroom serve` that may not be able to serve yet; killed when dropped.
pub struct Served {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    address: watch::Receiver<Option<String>>,
}

impl Served {
    /// Starts it, and waits for nothing.
    pub fn start(database_url: &str, nats_url: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = command(&["serve", "--port", "0"]);
        command
            .env("DATABASE_URL", database_url)
            .env("NATS_URL", nats_url)
            .env("RUST_LOG", "warn")
            .envs(variables.iter().copied());
        let mut child = command.spawn().expect("a process");
        let mut errors = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let said = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn({
            let said = Arc::clone(&said);
            async move {
                while let Ok(Some(line)) = errors.next_line().await {
                    said.lock().expect("a lock").push(line);
                }
            }
        });
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let (sender, address) = watch::channel(None);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(address) = line.strip_prefix("Workroom listens on http://") {
                    sender.send_replace(Some(address.trim().to_owned()));
                }
            }
        });
        Self { child, said, address }
    }

    /// The lines on stderr so far.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().expect("a lock").clone()
    }

    /// Where it listens, if it does.
    pub fn address(&self) -> Option<String> {
        self.address.borrow().clone()
    }

    /// Waits until it listens.
    pub async fn listens(&self) -> String {
        let mut address = self.address.clone();
        let listens = tokio::time::timeout(Duration::from_secs(60), address.wait_for(Option::is_some)).await;
        let listens = listens.expect("in time").unwrap_or_else(|_| panic!("it ended: {:?}", self.said()));
        listens.clone().expect("an address")
    }

    /// Sends a signal and waits for the end.
    pub async fn end_by(mut self, signal: Signal) -> ExitStatus {
        let pid = i32::try_from(self.child.id().expect("a running process")).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("a running process");
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        ended.expect("an end in time").expect("a status")
    }
}

/// The servers that work in a data folder. (Of a process that has ended and that nobody reaps, no folder can be read.)
pub fn servers(folder: &Path) -> Vec<String> {
    let folders: Vec<_> =
        ["postgres", "nats"].iter().filter_map(|part| fs::canonicalize(folder.join(part)).ok()).collect();
    let entries = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    entries
        .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| folders.contains(&cwd)))
        .map(|entry| {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            format!("{} {}", entry.file_name().to_string_lossy(), name.trim())
        })
        .collect()
}

/// Waits until no server works in a data folder.
pub async fn assert_nothing_left(folder: &Path) {
    eventually("no server is left behind", || async { servers(folder).is_empty() }).await;
}
