//! How far attempts say that they are: of each the latest word, stored once a second at most.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, timeout};
use uuid::Uuid;
use workroom_domain::ids::JobId;

use crate::jobs::text::{split_at_end, storable};

/// What an attempt tells is stored no more often.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the database may take over it.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);
/// Characters of a message, at most.
const MESSAGE: usize = 200;
/// How a line begins by which a program tells how far it is.
const START: &[u8] = b"::progress";
/// Bytes of such a line that are kept: enough for any message.
const LINE: usize = 1024;

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    percent: f64,
    message: Option<String>,
}

impl Told {
    /// None where it is no percentage from 0 to 100. A message that is too long is cut.
    pub(super) fn new(percent: f64, message: &str) -> Option<Self> {
        let message: String = message.chars().take(MESSAGE).collect();
        let is_percentage = (0.0..=100.0).contains(&percent);
        is_percentage.then(|| Self {
            percent: (percent * 100.0).round() / 100.0,
            message: Some(message).filter(|message| !message.is_empty()),
        })
    }
}

/// Finds the lines `::progress 40 optional words` in what a program prints.
#[derive(Default)]
struct Lines {
    /// The beginning of the line that has not ended.
    line: Vec<u8>,
    /// That line is another one.
    is_other: bool,
}

impl Lines {
    /// Takes in what was printed; what the last such line says that has ended in it.
    fn take(&mut self, bytes: &[u8]) -> Option<Told> {
        let mut last = None;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if let Some(text) = part.strip_suffix(b"\n") {
                self.push(text);
                last = self.end().or(last);
            } else {
                self.push(part);
            }
        }
        last
    }

    fn push(&mut self, text: &[u8]) {
        if self.is_other {
            return;
        }
        let room = LINE - self.line.len();
        self.line.extend_from_slice(&text[..text.len().min(room)]);
        let known = self.line.len().min(START.len());
        self.is_other = self.line[..known] != START[..known];
    }

    /// The line has ended; what it says.
    fn end(&mut self) -> Option<Told> {
        let told = if self.is_other { None } else { read(&self.line) };
        self.line.clear();
        self.is_other = false;
        told
    }
}

/// What such a line says; none where it is not of that form.
fn read(line: &[u8]) -> Option<Told> {
    let rest = line.strip_prefix(START)?;
    let rest = storable(&rest[..rest.len() - split_at_end(rest)]);
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let rest = rest.trim();
    let (number, message) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    // `f64` reads more than digits and a point.
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    Told::new(number.parse::<f64>().ok().filter(|_| is_plain)?, message.trim_start())
}

/// What an attempt has told last.
#[derive(Default)]
pub(super) struct Latest {
    lines: Lines,
    /// What is not stored yet.
    told: Option<Told>,
    /// When something was taken to be stored last.
    taken_at: Option<Instant>,
}

impl Latest {
    /// It tells this.
    pub(super) fn tell(&mut self, told: Told) {
        self.told = Some(told);
    }

    /// It has printed this to its standard output.
    pub(super) fn read(&mut self, printed: &[u8]) {
        self.told = self.lines.take(printed).or(self.told.take());
    }

    /// It prints no more: a line without an end is whole, too.
    pub(super) fn end(&mut self) {
        self.told = self.lines.end().or(self.told.take());
    }

    /// Whether nothing was ever told.
    pub(super) fn is_silent(&self) -> bool {
        self.told.is_none() && self.taken_at.is_none()
    }

    /// Whether that is to be stored now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let has_paused = self.taken_at.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE);
        self.told.is_some() && has_paused
    }

    fn take(&mut self, now: Instant) -> Option<Told> {
        let told = self.told.take()?;
        self.taken_at = Some(now);
        Some(told)
    }
}

/// What several attempts have told.
#[derive(Default)]
pub(super) struct Rows {
    jobs: Vec<Uuid>,
    attempts: Vec<i32>,
    percents: Vec<f64>,
    messages: Vec<Option<String>>,
}

impl Rows {
    /// Takes what an attempt has told.
    pub(super) fn take(&mut self, (job_id, attempt): (JobId, u32), latest: &mut Latest, now: Instant) {
        let Some(Told { percent, message }) = latest.take(now) else { return };
        self.jobs.push(job_id.uuid());
        self.attempts.push(i32::try_from(attempt).unwrap_or(i32::MAX));
        self.percents.push(percent);
        self.messages.push(message);
    }

    /// Stores it. It is shown, and no more: where the database does not take it, the next word stands for it, and nothing waits.
    pub(super) async fn store(&self, pool: &PgPool, worker_id: Uuid) {
        if self.jobs.is_empty() {
            return;
        }
        let stored = sqlx::query("SELECT store_job_progress($1, $2, $3, $4, $5)")
            .bind(worker_id)
            .bind(&self.jobs)
            .bind(&self.attempts)
            .bind(&self.percents)
            .bind(&self.messages);
        match timeout(DATABASE_TIMEOUT, stored.execute(pool)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "how far jobs are is not stored");
            }
            Err(_) => tracing::warn!("the database does not answer: how far jobs are is not stored"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "as it is compared")]
    fn told(percent: f64, message: &str) -> Option<Told> {
        Some(Told::new(percent, message).expect("a percentage"))
    }

    /// What is told by this output, whether it comes whole or byte by byte.
    fn of(printed: &[u8]) -> Option<Told> {
        let (mut whole, mut split) = (Latest::default(), Latest::default());
        whole.read(printed);
        for byte in printed {
            split.read(&[*byte]);
        }
        assert_eq!(whole.told, split.told);
        whole.told
    }

    #[test]
    fn a_line_tells_how_far_a_program_is() {
        for (line, expected) in [
            ("::progress 40\n", told(40.0, "")),
            ("::progress 40 half of it, nearly\n", told(40.0, "half of it, nearly")),
            ("::progress 12.344\r\n", told(12.34, "")),
            ("::progress\t0  read é \r\nmore\n", told(0.0, "read é")),
            ("begin\n::progress 1\n::progress 100 done\nend\n", told(100.0, "done")),
            ("::progress 7 \0\n", told(7.0, "\u{FFFD}")),
        ] {
            assert_eq!(of(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn what_is_no_such_line_tells_nothing() {
        for line in [
            "::progress 40",
            "::progress\n",
            "::progress \n",
            "::progress40\n",
            "::progressing 40\n",
            " ::progress 40\n",
            "at ::progress 40\n",
            "::progress 101\n",
            "::progress 100.001\n",
            "::progress -1\n",
            "::progress +1\n",
            "::progress 1e1\n",
            "::progress NaN\n",
            "::progress inf\n",
            "::progress 1.2.3\n",
            "::progress .\n",
            "::progress 40%\n",
            "\n\r\n::\n",
        ] {
            assert_eq!(of(line.as_bytes()), None, "{line:?}");
        }
        assert_eq!(of(b"::progress 30 a\n::progress 130\n"), told(30.0, "a"), "the one before holds");
    }

    #[test]
    fn a_long_line_takes_little_memory_and_its_message_is_cut() {
        let long = format!("::progress 5 {}\n", "é".repeat(1_000_000));
        assert_eq!(of(long.as_bytes()), told(5.0, &"é".repeat(MESSAGE)));
        let mut latest = Latest::default();
        for start in ["", "::progress 5 "] {
            latest.read(start.as_bytes());
            for _ in 0..1000 {
                latest.read(&[b'x'; 10_000]);
            }
            assert!(latest.lines.line.capacity() <= 16 * LINE, "{}", latest.lines.line.capacity());
            latest.read(b"\n");
        }
        assert_eq!(latest.told, told(5.0, &"x".repeat(MESSAGE)));
    }

    #[test]
    fn a_line_without_an_end_counts_at_the_end() {
        let mut latest = Latest::default();
        latest.read(b"::progress 10\n::progress 20");
        assert_eq!(latest.told, told(10.0, ""));
        latest.end();
        assert_eq!(latest.told, told(20.0, ""));
        latest.end();
        assert_eq!(latest.told, told(20.0, ""), "it stays until it is stored");
    }

    #[test]
    fn it_is_stored_once_a_second_at_most() {
        let (start, mut latest, mut rows) = (Instant::now(), Latest::default(), Rows::default());
        for tick in 0..100_u32 {
            let now = start + Duration::from_millis(50) * tick;
            latest.read(format!("::progress {tick}\n").as_bytes());
            if latest.is_due(now) {
                rows.take((JobId(Uuid::nil()), 1), &mut latest, now);
            }
        }
        let stored: Vec<String> = rows.percents.iter().map(f64::to_string).collect();
        assert_eq!(stored, ["0", "20", "40", "60", "80"]);
        assert!(latest.told.is_some(), "the last one waits");
    }
}
