//! Tables for people.

use std::io::Write;

/// Writes a line to stdout.
pub fn line(text: &str) {
    // A closed pipe is no reason to stop measuring.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line about what is going on to stderr.
pub fn progress(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says why a benchmark failed.
pub fn complain(text: &str) {
    progress(&format!("the benchmark failed: {text}"));
}
