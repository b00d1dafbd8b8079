//! Writes most of the events: many at a time, past the API, some of 100 KB; and remembers what it was told of each.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use sqlx::PgPool;
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;
use workroom::event_store::{AppendError, AppendLimits, AppendRequest, EventLog, Expected, NewEvent, StreamAppend};

use super::clients::Heard;

/// Events of one append.
const BATCH: usize = 50;
/// One append in so many ends with a large event.
const LARGE_EACH: usize = 20;
/// Bytes of a large event.
pub const LARGE: usize = 100_000;
/// How long to wait after a refusal.
const PAUSE: Duration = Duration::from_millis(50);

/// The writer; it stops when this is dropped.
pub struct Flood {
    path: PathBuf,
    allowance: watch::Sender<i64>,
    written: Arc<AtomicI64>,
    heard: watch::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Flood {
    /// Begins to write to these projects. What it is told goes to a file in the folder.
    pub async fn begin(pool: PgPool, projects: &[String], heard: watch::Receiver<Heard>, folder: &Path) -> Self {
        let log = EventLog::open(pool, AppendLimits::default()).await.expect("the log");
        let path = folder.join("flood.ndjson");
        let (allowance, allowed) = watch::channel(0);
        let written = Arc::<AtomicI64>::default();
        let writer = Writer {
            log,
            projects: projects.iter().map(|project| project.parse().expect("an id")).collect(),
            streams: projects.iter().map(|_| Stream::default()).collect(),
            written: Arc::clone(&written),
            told: BufWriter::new(File::create(&path).expect("a file")),
        };
        let task = tokio::spawn(writer.run(allowed, heard.clone()));
        Self { path, allowance, written, heard, task }
    }

    /// Lets it write until there are so many more events, those of other writers counted.
    pub fn allow(&self, more: i64) {
        self.allowance.send_modify(|allowance| *allowance += more);
    }

    /// Events that were acknowledged, to it and to others.
    fn total(&self) -> i64 {
        self.written.load(Ordering::SeqCst) + self.heard.borrow().progress.written
    }

    /// How many events there are when it has written all that it may.
    pub fn goal(&self) -> i64 {
        self.total().max(*self.allowance.borrow())
    }

    /// Ends it; returns where it has written what it was told.
    pub async fn end(mut self) -> PathBuf {
        // The writer ends with the channel, and not within an append.
        self.allowance = watch::channel(0).0;
        let ended = tokio::time::timeout(Duration::from_secs(60), &mut self.task).await.expect("an end");
        ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.path.clone()
    }
}

/// An aggregate that nobody else writes.
struct Stream {
    id: Uuid,
    sequence: i64,
}

impl Default for Stream {
    fn default() -> Self {
        Self { id: Uuid::now_v7(), sequence: 0 }
    }
}

struct Writer {
    log: EventLog,
    projects: Vec<Uuid>,
    streams: Vec<Stream>,
    written: Arc<AtomicI64>,
    told: BufWriter<File>,
}

impl Writer {
    async fn run(mut self, mut allowance: watch::Receiver<i64>, mut heard: watch::Receiver<Heard>) {
        for turn in 0.. {
            let place = turn % self.projects.len();
            let total = self.written.load(Ordering::SeqCst) + heard.borrow_and_update().progress.written;
            let is_allowed = total < *allowance.borrow_and_update();
            if is_allowed && allowance.has_changed().is_ok() {
                let texts = (0..BATCH).map(|number| format!("{turn}.{number}"));
                let one_more = (turn % LARGE_EACH == 0).then(|| "x".repeat(LARGE));
                self.write(place, texts.chain(one_more).collect()).await;
                continue;
            }
            tokio::select! {
                changed = allowance.changed() => if changed.is_err() { break },
                // Its end is told by somebody else.
                Ok(()) = heard.changed() => {}
            }
        }
        self.told.flush().expect("a file");
    }

    /// One append.
    async fn write(&mut self, place: usize, texts: Vec<String>) {
        let stream = &mut self.streams[place];
        let metadata = json!({
            "actor": "system:worker", "occurred_at": "2026-11-20T10:00:00Z", "correlation_id": Uuid::nil().to_string(),
        });
        let note = |text: String| NewEvent {
            event_id: Uuid::now_v7(),
            event_type: "NoteWritten".to_owned(),
            event_version: "1".to_owned(),
            payload: json!({"type": "NoteWritten", "text": text}).to_string(),
            metadata: metadata.to_string(),
        };
        let events: Vec<NewEvent> = texts.into_iter().map(note).collect();
        let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
        let count = i64::try_from(ids.len()).expect("a small number");
        let expected = Expected { aggregate_type: "note", aggregate_id: stream.id, sequence: stream.sequence };
        let streams = vec![StreamAppend { expected, feed_id: self.projects[place], events }];
        let state = match self.log.append(AppendRequest { streams, ..AppendRequest::default() }).await {
            Ok(_) => {
                stream.sequence += count;
                self.written.fetch_add(count, Ordering::SeqCst);
                "acknowledged"
            }
            // Nobody knows how far the stream is now.
            Err(AppendError::OutcomeUnknown) => {
                *stream = Stream::default();
                "open"
            }
            // The database is away, or has just come back.
            Err(AppendError::Unavailable | AppendError::Overloaded) => "refused",
            // A conflict, too: nobody else writes this stream.
            Err(error) => panic!("an append failed: {error:?}"),
        };
        for id in ids {
            writeln!(self.told, "{}", json!({"state": state, "id": id})).expect("a file");
        }
        if state != "acknowledged" {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
