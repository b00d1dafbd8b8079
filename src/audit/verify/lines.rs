//! The lines of a file, one in memory at a time.

use std::io::{self, BufRead, Read};

use super::Failure;

/// The longest line, in bytes: no event is as large as this, nor the header of an organization with many projects.
const LONGEST: u64 = 256 * 1024 * 1024;

/// A line of a file, without its end.
pub(super) enum Line<'a> {
    Whole(&'a str),
    /// The file ends within it.
    Cut,
    None,
}

/// The lines of a file.
pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
}

/// What an error in reading says of the file.
pub(super) fn failure(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Failure::of_file(format!("the packed data is damaged: {error}"))
        }
        _ => Failure::Unreadable(error),
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, line: Vec::new() }
    }

    /// The next line.
    pub(super) fn next(&mut self) -> Result<Line<'_>, Failure> {
        self.line.clear();
        match self.input.by_ref().take(LONGEST).read_until(b'\n', &mut self.line) {
            Ok(0) => return Ok(Line::None),
            Ok(_) => {}
            // A packed file ends before its data does.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Line::Cut),
            Err(error) => return Err(failure(error)),
        }
        if self.line.pop() != Some(b'\n') {
            let is_too_long = u64::try_from(self.line.len()).unwrap_or(u64::MAX) >= LONGEST - 1;
            return if is_too_long { Err(Failure::of_file("a line is too long")) } else { Ok(Line::Cut) };
        }
        std::str::from_utf8(&self.line).map(Line::Whole).map_err(|_| Failure::of_file("a line is not in UTF-8"))
    }
}
