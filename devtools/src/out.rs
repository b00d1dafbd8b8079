//! The one place of this module that writes to the terminal.

use std::io::Write;

/// Writes a line to stdout; a closed pipe is not an error worth reporting.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line about what is going on to stderr, so that stdout stays usable by scripts.
pub fn progress(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
