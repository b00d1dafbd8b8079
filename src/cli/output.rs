//! The one place of the commands that writes to the terminal.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often a bar is drawn anew.
const REDRAW: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal, as in the log of a container.
const LINE: Duration = Duration::from_secs(10);
/// Characters of a bar.
const WIDTH: u64 = 30;

/// Writes a line to stdout.
///
/// # Errors
/// Stdout is closed.
pub fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Shows on stderr how far something is, at which rate and for how long yet: to a person as one line that is written
/// over, elsewhere as a line each ten seconds. What is over sooner says nothing there.
///
/// It begins when it is told of for the first time, under this name, and anew when less is done than before.
pub fn progress(what: &str, done: i64, all: i64) {
    static CURRENT: Mutex<Option<Progress>> = Mutex::new(None);
    let now = Instant::now();
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = current.as_ref().is_some_and(|progress| progress.what == what && progress.done <= done);
    if !fits {
        *current = Some(Progress::begin(what, done, std::io::stderr().is_terminal(), now));
    }
    let Some(text) = current.as_mut().and_then(|progress| progress.report(done, all, now)) else { return };
    let mut stderr = std::io::stderr().lock();
    // A terminal that is gone is no reason to stop.
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// Something that takes long: what is to be said about it, and when. It knows neither clock nor terminal.
pub struct Progress {
    what: String,
    on_terminal: bool,
    began: Instant,
    first: i64,
    done: i64,
    all: i64,
    said: Option<Instant>,
    /// Characters of the line that is written over.
    shown: usize,
}

impl Progress {
    /// Of something that begins now, with so much of it done before.
    pub fn begin(what: &str, done: i64, on_terminal: bool, now: Instant) -> Self {
        // Where there is no terminal, silence for as long as a line would have to wait.
        let said = (!on_terminal).then_some(now);
        Self { what: what.to_owned(), on_terminal, began: now, first: done, done, all: -1, said, shown: 0 }
    }

    /// What is to be written now that so much is done; nothing when it is too soon.
    pub fn report(&mut self, done: i64, all: i64, now: Instant) -> Option<String> {
        let is_over = done >= all;
        let is_news = (done, all) != (self.done, self.all);
        (self.done, self.all) = (done, all);
        let pause = if self.on_terminal { REDRAW } else { LINE };
        let is_due = self.said.is_none_or(|said| now.saturating_duration_since(said) >= pause);
        // The end of a bar is always shown, once: what follows begins on a line of its own.
        let is_said = if self.on_terminal && is_over { is_news } else { is_due };
        if !is_said {
            return None;
        }
        self.said = Some(now);
        let text = self.text(now);
        if !self.on_terminal {
            return Some(format!("{text}\n"));
        }
        let blank = " ".repeat(self.shown.saturating_sub(text.chars().count()));
        self.shown = if is_over { 0 } else { text.chars().count() };
        Some(format!("\r{text}{blank}{}", if is_over { "\n" } else { "" }))
    }

    /// `workspace [####......] 40 %, 400000 of 1000000, 62000 events/s, 9 s left`, the bar on terminals only.
    fn text(&self, now: Instant) -> String {
        let (done, all) = (self.done.max(0).unsigned_abs(), self.all.max(1).unsigned_abs());
        let part = |of: u64| u64::try_from(u128::from(done.min(all)) * u128::from(of) / u128::from(all)).unwrap_or(of);
        let bar = if self.on_terminal {
            let filled = usize::try_from(part(WIDTH)).unwrap_or_default();
            let empty = usize::try_from(WIDTH).unwrap_or_default().saturating_sub(filled);
            format!(" [{}{}]", "#".repeat(filled), ".".repeat(empty))
        } else {
            ":".to_owned()
        };
        let rate = self.rate(now);
        let left = self.all.saturating_sub(self.done).max(0).unsigned_abs();
        let left = rate.map(|rate| left.div_ceil(rate.max(1))).filter(|left| *left > 0);
        let rate = rate.map(|rate| format!(", {rate} events/s")).unwrap_or_default();
        let left = left.map(|left| format!(", {} left", span(left))).unwrap_or_default();
        format!("{}{bar} {} %, {} of {}{rate}{left}", self.what, part(100), self.done, self.all)
    }

    /// Events a second since it began; none before there is anything to tell it from.
    fn rate(&self, now: Instant) -> Option<u64> {
        let millis = now.saturating_duration_since(self.began).as_millis();
        let done = u128::from(self.done.saturating_sub(self.first).max(0).unsigned_abs());
        (done > 0 && millis > 0).then(|| u64::try_from(done * 1000 / millis).unwrap_or(u64::MAX))
    }
}

/// Seconds, for people.
fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(began: Instant, millis: u64) -> Instant {
        began + Duration::from_millis(millis)
    }

    #[test]
    fn a_bar_tells_rate_and_rest_and_ends_its_line_once() {
        let began = Instant::now();
        let mut progress = Progress::begin("workspace", 0, true, began);
        let empty = ".".repeat(30);
        assert_eq!(progress.report(0, 1_000_000, began).unwrap(), format!("\rworkspace [{empty}] 0 %, 0 of 1000000"));
        // Too soon to be drawn anew.
        assert_eq!(progress.report(1000, 1_000_000, after(began, 50)), None);
        assert_eq!(
            progress.report(400_000, 1_000_000, after(began, 5000)).unwrap(),
            format!(
                "\rworkspace [{}{}] 40 %, 400000 of 1000000, 80000 events/s, 8 s left",
                "#".repeat(12),
                ".".repeat(18)
            )
        );
        // The end is shown at once, covers what stood there, and is not shown again.
        let end = progress.report(1_000_000, 1_000_000, after(began, 5001)).unwrap();
        let shown = format!("\rworkspace [{}] 100 %, 1000000 of 1000000, 199960 events/s", "#".repeat(30));
        assert!(end.starts_with(&shown) && end.ends_with('\n'), "{end:?}");
        assert_eq!(end.trim_end(), shown.trim_end());
        assert_eq!(progress.report(1_000_000, 1_000_000, after(began, 5900)), None);
        // A rebuild that has to catch up goes on, on the next line.
        let more = progress.report(1_000_100, 1_000_200, after(began, 6000)).unwrap();
        assert!(more.starts_with("\rworkspace [") && !more.ends_with('\n'), "{more:?}");
    }

    #[test]
    fn without_a_terminal_there_is_a_line_each_ten_seconds() {
        let began = Instant::now();
        let mut progress = Progress::begin("audit", 0, false, began);
        for millis in [0, 100, 9_999] {
            assert_eq!(progress.report(10, 600_000, after(began, millis)), None);
        }
        assert_eq!(
            progress.report(100_000, 600_000, after(began, 10_000)).unwrap(),
            "audit: 16 %, 100000 of 600000, 10000 events/s, 50 s left\n"
        );
        assert_eq!(progress.report(110_000, 600_000, after(began, 15_000)), None);
        // The command itself says what came of it.
        assert_eq!(progress.report(600_000, 600_000, after(began, 15_001)), None);
    }

    #[test]
    fn what_was_done_before_does_not_count_into_the_rate() {
        let began = Instant::now();
        let mut progress = Progress::begin("export", 500_000, false, began);
        assert_eq!(
            progress.report(500_100, 501_000, after(began, 10_000)).unwrap(),
            "export: 99 %, 500100 of 501000, 10 events/s, 1 min 30 s left\n"
        );
    }

    #[test]
    fn nothing_of_nothing_and_more_than_all_are_no_trouble() {
        let began = Instant::now();
        let mut progress = Progress::begin("audit", 0, true, began);
        let end = progress.report(0, 0, began).unwrap();
        assert!(end.contains("0 %, 0 of 0") && end.ends_with('\n'), "{end:?}");
        let mut progress = Progress::begin("audit", 0, true, began);
        let end = progress.report(7, 5, after(began, 1000)).unwrap();
        assert!(end.contains("100 %, 7 of 5, 7 events/s") && end.ends_with('\n'), "{end:?}");
        assert_eq!(span(59), "59 s");
        assert_eq!(span(61), "1 min 1 s");
        assert_eq!(span(3660), "1 h 1 min");
    }
}
