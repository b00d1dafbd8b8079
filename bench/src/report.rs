//! Tables for people, and the bars that figures have to come to.

use std::{
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The bars that were told so far.
static BARS: Mutex<Bars> = Mutex::new(Bars { reached: 0, missed: Vec::new() });

struct Bars {
    reached: usize,
    /// The lines that tell of the others.
    missed: Vec<String>,
}

/// Writes a line to stdout.
pub fn line(text: &str) {
    // A closed pipe is no reason to stop measuring.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line with a figure and its bar, and whether the bar is reached. [`check`] tells of those that are not.
pub fn bar(is_reached: bool, text: &str) {
    line(&format!("{text} [{}]", if is_reached { "reached" } else { "MISSED" }));
    let mut bars = bars();
    if is_reached {
        bars.reached += 1;
    } else {
        bars.missed.push(text.trim().to_owned());
    }
}

/// Whether each bar that was told was reached.
///
/// # Errors
/// One was missed, or more: it names them.
pub fn check() -> anyhow::Result<()> {
    let bars = bars();
    let (missed, all) = (&bars.missed, bars.reached + bars.missed.len());
    if all == 0 {
        progress("nothing that was measured has a bar");
    }
    anyhow::ensure!(missed.is_empty(), "{} of {all} bars were missed:\n{}", missed.len(), missed.join("\n"));
    Ok(())
}

fn bars() -> MutexGuard<'static, Bars> {
    BARS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a line about what is going on to stderr.
pub fn progress(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says why a benchmark failed.
pub fn complain(text: &str) {
    progress(&format!("the benchmark failed: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_is_missed_fails_the_check_which_names_it() {
        assert!(check().is_ok());
        bar(true, "no-ops: 2600 jobs a second (bar 2500)");
        assert!(check().is_ok());
        bar(false, "    1.100 messages an attempt (bar 1.02)");
        let error = check().expect_err("one is missed").to_string();
        assert_eq!(error, "1 of 2 bars were missed:\n1.100 messages an attempt (bar 1.02)");
    }
}
