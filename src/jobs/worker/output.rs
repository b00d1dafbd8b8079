//! What attempts print: kept piece by piece as it comes, a bounded beginning of each stream.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use sqlx::PgPool;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workroom_domain::ids::JobId;

use super::{
    Life,
    progress::{self, Latest, Told},
};
use crate::{
    backoff::Backoff,
    jobs::{
        output_bell::{OutputBell, Ring},
        text::{split_at_end, storable},
    },
};

/// Bytes that are kept of each stream of an attempt.
const KEPT: usize = 64 * 1024;
/// How many attempts' output may wait to be stored.
const QUEUE: usize = 256;
/// Pieces of an attempt that may wait to be stored. What comes beyond goes with the last one of its stream: a program that
/// prints a byte now here, now there, makes no row of each.
const PIECES: usize = 8;
/// The same of an attempt that has [`MANY`] pieces already: one of each stream.
const FEWER_PIECES: usize = 2;
/// From so many pieces on, an attempt has many.
const MANY: i32 = 200;
/// After so many pieces, the rest is stored at the end.
const MOST: i32 = 990;
/// How often is looked for what programs have printed while they run.
const INTERVAL: Duration = Duration::from_millis(50);
/// After so many pieces, the time between two pieces doubles: what goes on for minutes may come in larger ones.
const DOUBLES_AFTER: i32 = 125;
/// Bytes that do not wait for the pause.
const GATHERED: usize = 64 * 1024;

/// Where a program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

impl Stream {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Takes what an attempt prints. Cheap to clone.
#[derive(Clone)]
pub struct Output {
    job_id: JobId,
    attempt: u32,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    pieces: Vec<Piece>,
    /// The number of the last piece.
    seq: i32,
    /// When pieces were taken to be stored last.
    stored_at: Option<Instant>,
    /// A piece found no room any more: what follows it is not kept either, for it would not follow on what is.
    is_dropped: bool,
    /// The attempt was told to stop: whoever follows it waits to hear when all is stored.
    is_stopped: bool,
    stdout: Beginning,
    stderr: Beginning,
    /// How far the attempt says that it is.
    latest: Latest,
}

/// How much of a stream has come.
#[derive(Default)]
struct Beginning {
    bytes: usize,
    /// The first bytes of a character whose others have not come yet.
    split: Vec<u8>,
}

#[derive(Debug)]
struct Piece {
    seq: i32,
    stream: Stream,
    text: String,
}

impl Output {
    /// What an attempt prints.
    pub fn new(job_id: JobId, attempt: u32) -> Self {
        Self { job_id, attempt, kept: Arc::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is printed, as long as there is room for it. What is no UTF-8, and NUL, which Postgres refuses, become U+FFFD.
    /// Lines of standard output tell how far the attempt is, also those for which there is no room.
    pub fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut kept = self.kept();
        if stream == Stream::Stdout {
            kept.latest.read(bytes);
        }
        if kept.is_dropped {
            return;
        }
        let beginning = match stream {
            Stream::Stdout => &mut kept.stdout,
            Stream::Stderr => &mut kept.stderr,
        };
        let text = beginning.take(bytes);
        if !text.is_empty() {
            kept.push(stream, text);
        }
    }

    /// Tells how far the attempt is, in percent, and in a few words.
    pub fn tell(&self, percent: f64, message: &str) {
        if let Some(told) = Told::new(percent, message) {
            self.kept().latest.tell(told);
        }
    }

    /// Whether what was printed is to be stored now: the first lines at once, what follows in pieces that grow larger.
    fn is_due(&self, now: Instant) -> bool {
        let kept = self.kept();
        let bytes: usize = kept.pieces.iter().map(|piece| piece.text.len()).sum();
        // The looks make a pause themselves.
        let pause = INTERVAL * (2_u32.saturating_pow(kept.seq.unsigned_abs() / DOUBLES_AFTER.unsigned_abs()) - 1);
        let has_paused = kept.stored_at.is_none_or(|at| now.saturating_duration_since(at) >= pause);
        bytes > 0 && kept.seq < MOST && (has_paused || bytes >= GATHERED)
    }

    /// Whether the quota of its owner left no room for some of it. Known once [`Printer::store`] has returned.
    pub(super) fn is_dropped(&self) -> bool {
        self.kept().is_dropped
    }

    /// The quota of its owner leaves no room for more.
    fn drop_the_rest(&self) {
        let mut kept = self.kept();
        kept.is_dropped = true;
        kept.pieces.clear();
    }

    /// The attempt is told to stop.
    pub(super) fn told_to_stop(&self) {
        self.kept().is_stopped = true;
    }

    fn is_stopped(&self) -> bool {
        self.kept().is_stopped
    }

    /// The number of the attempt, as the database has it.
    fn attempt(&self) -> i32 {
        i32::try_from(self.attempt).unwrap_or(i32::MAX)
    }

    /// Whether what was told is to be stored now.
    fn tells(&self, now: Instant) -> bool {
        self.kept().latest.is_due(now)
    }
}

impl Kept {
    fn push(&mut self, stream: Stream, text: String) {
        let most = if self.seq < MANY { PIECES } else { FEWER_PIECES };
        let is_full = self.pieces.len() >= most;
        let last = self.pieces.iter_mut().rev().take(if is_full { usize::MAX } else { 1 });
        if let Some(piece) = last.into_iter().find(|piece| piece.stream == stream) {
            piece.text.push_str(&text);
        } else {
            self.seq += 1;
            self.pieces.push(Piece { seq: self.seq, stream, text });
        }
    }
}

impl Beginning {
    /// The text of these bytes, and of those that were held back, as far as there is room for it.
    fn take(&mut self, bytes: &[u8]) -> String {
        let room = KEPT - self.bytes;
        let bytes = &bytes[..bytes.len().min(room)];
        self.bytes += bytes.len();
        let mut all = std::mem::take(&mut self.split);
        all.extend_from_slice(bytes);
        let whole = all.len() - split_at_end(&all);
        self.split = all.split_off(whole);
        storable(&all)
    }
}

/// What is to be stored of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// What is due.
    Due,
    /// All: the attempt is over.
    All,
}

/// An attempt, and what is to be stored of it.
type Order = (Output, Part);

/// Stores what attempts print, of many attempts together. Cheap to clone.
#[derive(Clone)]
pub(super) struct Printer(mpsc::Sender<(Order, oneshot::Sender<()>)>);

impl Printer {
    /// Stores what an attempt that is over has printed and told, as far as that is not stored yet; returns once all of
    /// it is stored, also what was on its way, or the worker was given up.
    pub(super) async fn store(&self, output: &Output) {
        let is_silent = {
            let mut kept = output.kept();
            kept.latest.end();
            kept.seq == 0 && kept.latest.is_silent() && !kept.is_stopped
        };
        if !is_silent {
            self.order(output, Part::All).await;
        }
    }

    async fn order(&self, output: &Output, part: Part) {
        let (done, stored) = oneshot::channel();
        if self.0.send(((output.clone(), part), done)).await.is_ok() {
            let _ = stored.await;
        }
    }
}

/// Starts storing, up to `quota` bytes of an owner (0: no quota); it ends with the last printer, or when the worker is given up.
/// Whoever follows an output is told when there is more of it.
pub(super) fn start(
    pool: PgPool,
    worker_id: Uuid,
    quota: i64,
    bell: OutputBell,
    given_up: CancellationToken,
) -> (Printer, JoinHandle<()>) {
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let storing = async move {
        let mut waiting = Vec::with_capacity(QUEUE);
        while receiver.recv_many(&mut waiting, QUEUE).await > 0 {
            let (orders, done): (Vec<Order>, Vec<oneshot::Sender<()>>) = waiting.drain(..).unzip();
            let rings = store(&pool, worker_id, quota, &orders).await;
            drop(done);
            for (job_id, ring) in rings {
                bell.ring(job_id, ring).await;
            }
            for (output, _) in orders.iter().filter(|(output, part)| *part == Part::All && output.is_stopped()) {
                bell.ring_over(output.job_id, output.attempt()).await;
            }
        }
    };
    let storing = async move {
        tokio::select! {
            () = storing => {}
            () = given_up.cancelled() => {}
        }
    };
    (Printer(sender), tokio::spawn(storing))
}

/// Stores what running attempts print, as it comes.
pub(super) async fn store_as_it_comes(life: Arc<Life>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        let outputs = life.running.outputs();
        let due = outputs.iter().filter(|output| output.is_due(now) || output.tells(now));
        join_all(due.map(|output| life.printer.order(output, Part::Due))).await;
    }
}

/// Stores until the database has it; returns what is new.
async fn store(pool: &PgPool, worker_id: Uuid, quota: i64, orders: &[Order]) -> Vec<(JobId, Ring)> {
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    let mut rows = Rows::default();
    let mut told = progress::Rows::default();
    let now = Instant::now();
    for (output, part) in orders {
        if *part == Part::All || output.is_due(now) {
            rows.take(output);
        }
        if *part == Part::All || output.tells(now) {
            told.take((output.job_id, output.attempt), &mut output.kept().latest, now);
        }
    }
    told.store(pool, worker_id).await;
    if rows.jobs.is_empty() {
        return Vec::new();
    }
    loop {
        let stored = sqlx::query_as("SELECT others, dropped FROM store_job_output($1, $2, $3, $4, $5, $6, $7)")
            .bind(worker_id)
            .bind(&rows.jobs)
            .bind(&rows.attempts)
            .bind(&rows.seqs)
            .bind(&rows.streams)
            .bind(&rows.texts)
            .bind(quota);
        match stored.fetch_one(pool).await {
            Ok(stored) => {
                let (others, dropped): (Vec<Uuid>, Vec<Uuid>) = stored;
                for (output, _) in orders.iter().filter(|(output, _)| dropped.contains(&output.job_id.uuid())) {
                    output.drop_the_rest();
                }
                if !others.is_empty() {
                    tracing::info!(jobs = ?others, "what programs printed came too late");
                }
                rows.rings.retain(|(job_id, _)| !others.contains(&job_id.uuid()));
                return rows.rings;
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "what programs printed is not stored yet");
                sleep(backoff.pause()).await;
            }
        }
    }
}

#[derive(Default)]
struct Rows {
    jobs: Vec<Uuid>,
    attempts: Vec<i32>,
    seqs: Vec<i32>,
    streams: Vec<&'static str>,
    texts: Vec<String>,
    /// Of each attempt its first piece here.
    rings: Vec<(JobId, Ring)>,
}

impl Rows {
    fn take(&mut self, output: &Output) {
        let attempt = output.attempt();
        let pieces = {
            let mut kept = output.kept();
            kept.stored_at = Some(Instant::now());
            std::mem::take(&mut kept.pieces)
        };
        self.rings.extend(pieces.first().map(|first| (output.job_id, Ring { attempt, seq: first.seq })));
        for Piece { seq, stream, text } in pieces {
            self.jobs.push(output.job_id.into());
            self.attempts.push(attempt);
            self.seqs.push(seq);
            self.streams.push(stream.as_str());
            self.texts.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(output: &Output) -> Vec<String> {
        output.kept().pieces.drain(..).map(|piece| piece.text).collect()
    }

    #[test]
    fn a_character_that_comes_in_two_pieces_is_one() {
        let output = Output::new(JobId(Uuid::nil()), 1);
        let bytes = "aé€😀".as_bytes();
        for byte in bytes {
            output.write(Stream::Stdout, &[*byte]);
        }
        assert_eq!(texts(&output), ["aé€😀"]);
        output.write(Stream::Stderr, b"a\0b\xffc");
        assert_eq!(texts(&output), ["a\u{FFFD}b\u{FFFD}c"]);
    }

    #[test]
    fn pieces_are_few_however_often_a_program_prints() {
        let output = Output::new(JobId(Uuid::nil()), 1);
        for _ in 0..1000 {
            output.write(Stream::Stdout, b"a");
            output.write(Stream::Stderr, b"b");
        }
        let kept: Vec<_> =
            output.kept().pieces.drain(..).map(|piece| (piece.seq, piece.stream, piece.text.len())).collect();
        assert!(kept.len() <= PIECES, "{kept:?}");
        let of = |stream| kept.iter().filter(|(_, of, _)| *of == stream).map(|(_, _, length)| length).sum::<usize>();
        assert_eq!((of(Stream::Stdout), of(Stream::Stderr)), (1000, 1000));
        output.write(Stream::Stdout, b"more");
        assert_eq!(output.kept().pieces[0].seq, kept[kept.len() - 1].0 + 1, "the next number");
    }

    #[test]
    fn a_program_that_never_stops_printing_makes_a_bounded_number_of_pieces() {
        let output = Output::new(JobId(Uuid::nil()), 1);
        let (start, mut rows, mut first_at) = (Instant::now(), Rows::default(), None);
        // Five minutes, the longest that a program may run, look by look.
        for look in 0..6000 {
            let now = start + INTERVAL * look;
            output.write(Stream::Stdout, b"a");
            output.write(Stream::Stderr, b"b");
            if output.is_due(now) {
                first_at.get_or_insert(look);
                rows.take(&output);
                output.kept().stored_at = Some(now);
            }
        }
        rows.take(&output);
        assert_eq!(first_at, Some(0), "the first line waits for nothing");
        assert!(rows.seqs.len() <= 1000, "{}", rows.seqs.len());
        assert_eq!(rows.texts.concat().len(), 12_000);
        assert!(rows.seqs.is_sorted(), "{:?}", rows.seqs);
        assert!(!output.is_due(start + Duration::from_hours(1)), "nothing waits");
        output.write(Stream::Stdout, &vec![b'x'; KEPT - 6000]);
        output.write(Stream::Stderr, &vec![b'x'; KEPT - 6000]);
        assert!(output.is_due(start + INTERVAL * 6000), "much does not wait");
    }

    #[test]
    fn nothing_is_kept_behind_what_found_no_room() {
        let output = Output::new(JobId(Uuid::nil()), 1);
        output.write(Stream::Stdout, b"dropped");
        Rows::default().take(&output);
        output.write(Stream::Stderr, b"comes meanwhile");
        assert!(!output.is_dropped());
        output.drop_the_rest();
        output.write(Stream::Stdout, b"comes later");
        assert!(output.is_dropped());
        assert!(texts(&output).is_empty());
    }

    #[test]
    fn the_beginning_is_kept_and_whole_characters_only() {
        let output = Output::new(JobId(Uuid::nil()), 1);
        output.write(Stream::Stdout, "x€".repeat(KEPT).as_bytes());
        output.write(Stream::Stdout, b"more");
        let kept = texts(&output).concat();
        assert!(kept.len() <= KEPT && kept.len() > KEPT - 4, "{}", kept.len());
        assert!(!kept.contains('\u{FFFD}') && !kept.contains("more"));
        output.write(Stream::Stderr, b"more");
        assert_eq!(texts(&output), ["more"]);
    }
}
