//! The disk of NATS is full, and then it is not.

use std::{fs::File, io::Write, path::PathBuf, process::Stdio, time::Duration};

use async_nats::jetstream::stream::Stream;
use tokio::process::{Child, Command};
use workroom::messaging::Messaging;
use workroom_dev::{
    folder::DataFolder,
    tools::{self, ToolStore},
};
use workroom_projections::log;

use crate::support::{World, data_dir, eventually};

/// A NATS server whose store has so little room that it can be filled: a file system in memory that only the server sees.
struct SmallNats {
    child: Child,
    url: String,
    store: PathBuf,
    folder: tempfile::TempDir,
}

impl SmallNats {
    async fn start(bytes: usize) -> Self {
        let program = tokio::task::spawn_blocking(|| {
            let store = ToolStore::new(&DataFolder::open(&data_dir()).expect("a data folder"));
            tools::nats_server::RECIPE.ensure(&store).expect("NATS").path
        })
        .await
        .expect("a program");
        let folder = tempfile::tempdir().expect("a folder");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        // In a mount namespace of its own; `exec`, so that the process that is started is the server's own.
        let script = "mount -t tmpfs -o size=$1 small \"$2\" && exec \"$3\" -js -a 127.0.0.1 -p $4 -sd \"$2\"";
        let child = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "--", "sh", "-c", script, "sh", &bytes.to_string()])
            .args([folder.path(), &program])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("NATS");
        let url = format!("nats://127.0.0.1:{port}");
        let messaging = Messaging::connect(&url).await.expect("an address");
        tokio::time::timeout(Duration::from_secs(20), messaging.connected()).await.expect("NATS in time");
        let server = child.id().expect("a process");
        let inside = folder.path().strip_prefix("/").expect("an absolute path");
        let store = PathBuf::from(format!("/proc/{server}/root")).join(inside);
        Self { child, url, store, folder }
    }

    fn ballast(&self) -> PathBuf {
        self.store.join("ballast")
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a file");
        let mut size = 65536;
        while size > 0 {
            while ballast.write_all(&vec![0; size]).is_ok() {}
            size /= 2;
        }
    }

    /// Makes room again.
    fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast");
    }

    async fn stop(mut self) {
        self.child.kill().await.expect("its end");
        drop(self.folder);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_full_disk_the_copy_is_made_whole_again() {
    let world = World::new().await;
    let pool = world.pool().await;
    let nats = SmallNats::start(16 * 1024 * 1024).await;
    let server = world.server_with(&[], &[("NATS_URL", &nats.url)]).await;
    let ada = server.person("ada").await;
    let messaging = Messaging::connect(&nats.url).await.expect("an address");
    messaging.connected().await;
    let position = async |sequence: u64, stream: &Stream| {
        let message = stream.get_raw_message(sequence).await.ok()?;
        message.headers.get("Workroom-Position")?.as_str().parse::<i64>().ok()
    };
    // The position of the last event that was copied.
    let copied = async || {
        let stream = messaging.jetstream().get_stream("EVENTS").await.ok()?;
        position(stream.cached_info().state.last_sequence, &stream).await
    };
    let project = ada.project("Apollo").await;
    let head = log::head(&pool).await.expect("a head");
    eventually("the log is copied", async || copied().await == Some(head)).await;
    ada.get("//ready").await.is(200);

    nats.fill();
    // Nothing of what people do waits for it.
    for number in 0..10 {
        ada.project(&format!("Apollo {number}")).await;
    }
    let job = ada.run_python("print(1)", Some(&project)).await;
    eventually("readiness names the relay", async || {
        let reply = ada.get("//ready").await;
        let detail = reply.json["detail"].as_str().unwrap_or_default().to_owned();
        reply.status == 503 && detail.contains("relay: stuck: EVENTS at") && detail.contains("publishing an event")
    })
    .await;
    let stuck = copied().await.expect("a copy");
    assert!(stuck < log::head(&pool).await.expect("a head"), "there was room left");

    nats.free();
    for number in 10..20 {
        ada.project(&format!("Apollo {number}")).await;
    }
    let freed = std::time::Instant::now();
    let deadline = freed + Duration::from_secs(40);
    loop {
        let head = log::head(&pool).await.expect("a head");
        if copied().await == Some(head) && ada.get("//ready").await.status == 200 {
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{:?} of {head}: {}",
            copied().await,
            ada.get("//ready").await.text
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eprintln!("whole again {:?} after there was room", freed.elapsed());
    assert_eq!(ada.finished(&job).await["status"], "completed");
    // From where the copy was, without a hole, up to the end.
    let stream = messaging.jetstream().get_stream("EVENTS").await.expect("a stream");
    let state = stream.cached_info().state.clone();
    let mut positions = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        positions.push(position(sequence, &stream).await.expect("a position"));
    }
    assert!(positions[0] <= stuck + 1, "{} begins behind {stuck}", positions[0]);
    assert!(positions.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{positions:?}");
    nats.stop().await;
}
