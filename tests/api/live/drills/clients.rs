//! The program with the clients, the proxy, the writers and the checker: `tests/clients/streams/main.js`.

use std::{path::Path, process::Stdio, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{mpsc, watch},
};

use super::report::Report;

/// How long all clients together may take to go on, or to answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a client may stand still while others go on.
const PATIENCE_WITH_A_CLIENT: Duration = Duration::from_secs(90);

/// How far the clients are.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Progress {
    /// Events that the slowest client has received.
    pub least: i64,
    /// Events that the fastest client has received.
    pub most: i64,
    /// Commands of the writers that were acknowledged.
    pub written: i64,
    /// How late the program's timers are, in milliseconds.
    pub lag: i64,
}

/// The last that was heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub progress: Progress,
    failure: Option<String>,
}

/// The running program; it ends when this is dropped.
pub struct Clients {
    child: Child,
    orders: ChildStdin,
    heard: watch::Receiver<Heard>,
    answers: mpsc::UnboundedReceiver<Value>,
}

impl Clients {
    /// Starts it, and waits until all clients follow all projects.
    pub async fn start(mut options: Value) -> Self {
        options["patience"] = json!(PATIENCE_WITH_A_CLIENT.as_secs() * 1000);
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/streams/main.js");
        let mut child = Command::new("node")
            .arg(program)
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node");
        let orders = child.stdin.take().expect("stdin");
        let stdout = child.stdout.take().expect("stdout");
        let (hear, heard) = watch::channel(Heard::default());
        let (answer, answers) = mpsc::unbounded_channel();
        tokio::spawn(listen(stdout, hear, answer));
        let mut clients = Self { child, orders, heard, answers };
        clients.answer("ready").await;
        clients
    }

    /// What is heard of them.
    pub fn heard(&self) -> watch::Receiver<Heard> {
        self.heard.clone()
    }

    /// Where the instances are from now on.
    pub async fn turn_to(&mut self, addresses: &[String]) {
        self.tell(json!({"do": "targets", "targets": addresses})).await;
    }

    /// Whether the proxy damages connections, and clients lose theirs.
    pub async fn mistreat(&mut self, yes: bool) {
        self.tell(json!({"do": "mistreat", "on": yes})).await;
    }

    /// Ends the damage, and the writers.
    pub async fn settle(&mut self) {
        self.tell(json!({"do": "settle"})).await;
        let settled = self.answer("settled").await;
        let (acknowledged, replayed) = (&settled["acknowledged"], &settled["replayed"]);
        eprintln!("commands: {acknowledged} acknowledged, {replayed} of them when they were sent again");
    }

    /// Waits until all clients have received so many events.
    pub async fn come_to(&mut self, events: i64, what: &str) {
        let come = self.heard.wait_for(|heard| heard.failure.is_some() || heard.progress.least >= events);
        let is_in_time = tokio::time::timeout(PATIENCE, come).await.is_ok();
        let Heard { progress, failure } = self.heard.borrow().clone();
        assert!(failure.is_none(), "{what}: {}", failure.unwrap_or_default());
        let Progress { least, most, lag, .. } = progress;
        assert!(
            is_in_time,
            "{what}: the clients are at {least} to {most}, not {events}; their timers are {lag} ms late"
        );
    }

    /// Has them checked; waits until the program has ended by itself.
    pub async fn finish(mut self, truth: &Path, told: &Path) -> Report {
        self.tell(json!({"do": "finish", "truth": truth, "told": [told]})).await;
        let report = self.answer("report").await;
        let report: Report = serde_json::from_value(report).expect("a report");
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        let status = ended.expect("clients that were closed keep no process alive").expect("an exit code");
        assert_eq!(status.success(), report.clean);
        report
    }

    async fn tell(&mut self, order: Value) {
        let line = format!("{order}\n");
        if self.orders.write_all(line.as_bytes()).await.is_err() {
            let heard = self.heard.borrow().failure.clone();
            panic!("the clients have ended: {}", heard.unwrap_or_default());
        }
    }

    async fn answer(&mut self, kind: &str) -> Value {
        // Longer than the program itself waits for clients that arrive late.
        let answer = tokio::time::timeout(2 * PATIENCE, self.answers.recv()).await.expect("an answer in time");
        match answer {
            Some(answer) if answer["type"] == kind => answer,
            other => panic!("{other:?} instead of {kind}: {:?}", self.heard.borrow().failure),
        }
    }
}

/// Hears the program to its end.
async fn listen(stdout: ChildStdout, hear: watch::Sender<Heard>, answer: mpsc::UnboundedSender<Value>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).expect("a line of JSON");
        match message["type"].as_str() {
            Some("progress") => {
                let progress = serde_json::from_value(message).expect("progress");
                hear.send_modify(|heard| heard.progress = progress);
            }
            Some("failed") => hear.send_modify(|heard| heard.failure = Some(format!("{message:#}"))),
            _ => {
                // Nobody waits any more when a test has failed.
                let _ = answer.send(message);
            }
        }
    }
    hear.send_modify(|heard| {
        heard.failure.get_or_insert_with(|| "the program with the clients has ended".to_owned());
    });
}
