//! Finds, in a server's log, the one line that says why it did not start.

use std::fs;
use std::path::Path;

/// Past this size, in bytes, a log is set aside when its server starts.
const MAX: u64 = 16 * 1024 * 1024;

/// Where a log ends now; sets a large one aside first, keeping one old one.
pub fn end(log: &Path) -> u64 {
    let length = || fs::metadata(log).map_or(0, |metadata| metadata.len());
    if length() > MAX {
        // If it fails, the log just grows on.
        let _ = fs::rename(log, log.with_extension("log.old"));
    }
    length()
}

/// The reason found in the log after byte `from`, as words that end a sentence.
pub fn reason(log: &Path, from: u64) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(text.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default()).into_owned();
    if text.to_lowercase().contains("no space left on device") {
        return "the disk is full, free some space, then start again".to_owned();
    }
    let telling = ["PANIC", "FATAL", "[FTL]", "error:", "Error:", "ERROR", "[ERR]"];
    let line = telling
        .iter()
        .find_map(|mark| text.lines().rev().find(|line| line.contains(mark)))
        .or_else(|| text.lines().rev().find(|line| !line.is_empty()));
    match line {
        Some(line) => format!("{} (all of it is in {})", line.trim(), log.display()),
        None => format!("its log {} says nothing", log.display()),
    }
}

/// Whether the log after byte `from` says that the port is taken.
pub fn port_is_taken(log: &Path, from: u64) -> bool {
    let text = fs::read(log).unwrap_or_default();
    let text =
        String::from_utf8_lossy(text.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default()).to_lowercase();
    text.contains("address already in use")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_telling_line_of_this_start_is_found() {
        let temporary = tempfile::tempdir().unwrap();
        let log = temporary.path().join("x.log");
        let old = "FATAL: old\n";
        let write = |new: &str| fs::write(&log, format!("{old}{new}")).unwrap();
        let from = old.len() as u64;
        write("LOG: starting\nFATAL: bad setting\nLOG: shut down\n");
        assert!(reason(&log, from).starts_with("FATAL: bad setting (all of it"));
        write("FATAL: could not write: No space left on device\n");
        assert!(reason(&log, from).starts_with("the disk is full"));
        write("");
        assert!(reason(&log, from).ends_with("says nothing"));
    }
}
