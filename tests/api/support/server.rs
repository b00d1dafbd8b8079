//! A `workroom serve` process.

use std::{process::Stdio, sync::LazyLock, time::Duration};

use nix::{
    sys::{
        signal::{Signal, kill},
        statvfs::{FsFlags, statvfs},
    },
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{
    client::{Client, Person},
    machine::{workroom, workroom_dev},
};

/// A `workroom serve` process; killed when dropped, and when the test's thread ends.
pub struct Server {
    child: Child,
    /// Where it listens: `host:port`.
    pub address: String,
}

/// A process that stands still until this is dropped.
pub struct Frozen<'a>(&'a Server);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGCONT);
    }
}

/// A folder in memory from which programs may be run, if there is room. Each service lays out hundreds of files for its sandboxes, and
/// a file system that was just told to delete as many is slow to make others.
fn memory() -> Option<&'static str> {
    static MEMORY: LazyLock<Option<&str>> = LazyLock::new(|| {
        let folder = "/dev/shm";
        let known = statvfs(folder).ok()?;
        let free = known.blocks_available() * known.fragment_size();
        (free >= 2 << 30 && !known.flags().contains(FsFlags::ST_NOEXEC)).then_some(folder)
    });
    *MEMORY
}

impl Server {
    pub(super) async fn start(
        database_url: &str,
        nats_url: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut child = Command::new(workroom_dev())
            .args(["exec-child", "--death-signal", "kill", "--parent", &std::process::id().to_string(), "--"])
            .arg(workroom())
            .args(["serve", "--port", "0"])
            .args(arguments)
            .env("DATABASE_URL", database_url)
            .env("NATS_URL", nats_url)
            .envs(memory().map(|folder| ("WORKROOM_SANDBOX_FOLDER", folder)))
            .env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "error".to_owned()))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a service");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let listening = tokio::time::timeout(Duration::from_secs(60), async {
            while let Some(line) = lines.next_line().await.expect("a line") {
                if let Some(address) = line.strip_prefix("Workroom listens on http://") {
                    return address.trim().to_owned();
                }
            }
            panic!("the service ended before it listened");
        });
        let address = listening.await.expect("the service to come up in time");
        Self { child, address }
    }

    /// Somebody who is not signed in.
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Registers somebody with this address, and signs them in.
    pub async fn person_with(&self, name: &str, email: &str) -> Person {
        Person::register_as(&self.address, name, email).await
    }

    /// Registers somebody of this name, with a fresh address, and signs them in.
    pub async fn person(&self, name: &str) -> Person {
        Person::register(&self.address, name).await
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id().expect("a running service")).expect("a pid"))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("a running service");
    }

    /// Makes the process stand still.
    #[must_use]
    pub fn freeze(&self) -> Frozen<'_> {
        self.signal(Signal::SIGSTOP);
        Frozen(self)
    }

    /// Kills the process where it stands.
    pub async fn kill9(mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().await.expect("its end");
    }

    /// Asks the process to stop, and waits until it has; returns whether it ended well.
    pub async fn stop(mut self) -> bool {
        self.signal(Signal::SIGTERM);
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        ended.expect("an end in time").expect("an exit code").success()
    }
}
