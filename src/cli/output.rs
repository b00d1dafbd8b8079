//! The one place of the commands that writes to the terminal.

use std::io::{IsTerminal, Write};

/// Writes a line to stdout.
///
/// # Errors
/// Stdout is closed.
pub fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Shows how far something is, on one line that is written over; only to a person.
pub fn progress(what: &str, done: i64, all: i64) {
    let mut stderr = std::io::stderr().lock();
    if !stderr.is_terminal() {
        return;
    }
    let width = 30;
    let filled = usize::try_from(done * width / all.max(1)).unwrap_or_default();
    let rest = usize::try_from(width).unwrap_or_default().saturating_sub(filled);
    let end = if done >= all { "\n" } else { "" };
    // A terminal that is gone is no reason to stop.
    let _ = write!(stderr, "\r{what} [{}{}] {done}/{all}{end}", "#".repeat(filled), ".".repeat(rest));
    let _ = stderr.flush();
}
