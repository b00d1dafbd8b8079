//! Verifies an export without a database, and without whoever wrote it: in constant memory but for rosters.
//!
//! What is proven, and what is not, is told in `docs/auditing.md`. Here are the lines ([`lines`]), the header ([`opening`]),
//! whose signatures count ([`trust`]), the events ([`checks`]), and who was allowed to cause them ([`judge`]).

mod checks;
mod judge;
mod lines;
mod opening;
mod trust;

use std::{
    fmt,
    io::{self, BufRead, BufReader},
};

use flate2::bufread::MultiGzDecoder;
use uuid::Uuid;
use workroom_proofs::{hash::Hash, note::Verifier};

use super::{access::Violation, export::Scope};
use checks::Checks;
use lines::{Line, Lines};
use opening::Opening;

/// What a file is held against.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The keys that are trusted; none: those in the file, and the report says so. The first one of the file's log has to have signed
    /// the file; the others are retired, and count for the older checkpoint alone.
    pub keys: Vec<Verifier>,
    /// A checkpoint of the same log that was kept: the file must go on from it.
    pub older: Option<String>,
}

/// What a file that holds was found to have.
#[derive(Clone, Debug)]
pub struct Report {
    /// The log.
    pub log_id: Uuid,
    /// What was exported.
    pub scope: Scope,
    /// The file has nothing up to this position.
    pub after: u64,
    /// Its events, those of context included.
    pub events: u64,
    /// Those of feeds that are not in the file completely.
    pub context: u64,
    /// Events whose payload was taken out.
    pub redacted: u64,
    /// Projects that it tells of.
    pub projects: usize,
    /// The size of the log that the checkpoint has signed.
    pub size: u64,
    /// The root of its tree.
    pub root: Hash,
    /// Whether the keys were the file's own.
    pub own_keys: bool,
    /// The name and the id of the key that signed the file, as they stand in its text: `<name>+<id>`.
    pub signed_by: String,
    /// The size of the older checkpoint that it was held against.
    pub older: Option<u64>,
    /// Whether was judged who was allowed to cause the events; not in a file that begins in the middle.
    pub judged: bool,
    /// Events of complete feeds that could not be judged, of a kind that this version does not know.
    pub unjudged: u64,
}

/// An event of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its place in the log.
    pub position: i64,
    /// Its place in its feed.
    pub feed_seq: i64,
    /// Its id.
    pub event_id: Uuid,
}

/// Why a file is not believed.
#[derive(Debug)]
pub enum Failure {
    /// It could not be read to its end, which says nothing about what is in it.
    Unreadable(io::Error),
    /// It does not hold.
    Refuted {
        /// The first event that fails, if it is one that does.
        place: Option<Place>,
        /// Why.
        why: String,
    },
}

impl Failure {
    fn of_file(why: impl Into<String>) -> Self {
        Self::Refuted { place: None, why: why.into() }
    }

    fn at(place: Place, why: impl Into<String>) -> Self {
        Self::Refuted { place: Some(place), why: why.into() }
    }

    /// The first event that fails, if it is one that does.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Unreadable(_) => None,
            Self::Refuted { place, .. } => *place,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "the file could not be read: {error}"),
            Self::Refuted { place: None, why } => f.write_str(why),
            Self::Refuted { place: Some(Place { position, feed_seq, event_id }), why } => {
                write!(f, "position {position}, place {feed_seq} in its feed, event {event_id}: {why}")
            }
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::Refuted { .. } => None,
        }
    }
}

/// Verifies a file, packed by gzip or not, in all that can be: its signatures, each event and both trees, that nothing of its
/// feeds is missing, and that whoever caused an event was allowed to.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify(input: impl BufRead, options: &Options) -> Result<Report, Failure> {
    run(input, options, None)
}

/// As [`verify`], but gathers the events whose actors had no right to cause them, and goes on.
///
/// # Errors
/// The first other thing that does not hold.
pub fn access(input: impl BufRead, options: &Options) -> Result<(Report, Vec<Violation>), Failure> {
    let mut violations = Vec::new();
    let report = run(input, options, Some(&mut violations))?;
    Ok((report, violations))
}

fn run(mut input: impl BufRead, options: &Options, violations: Option<&mut Vec<Violation>>) -> Result<Report, Failure> {
    let packed = input.fill_buf().map_err(lines::failure)?.starts_with(&[0x1f, 0x8b]);
    if packed {
        read(Lines::new(BufReader::new(MultiGzDecoder::new(input))), options, violations)
    } else {
        read(Lines::new(input), options, violations)
    }
}

fn read(
    mut lines: Lines<impl BufRead>,
    options: &Options,
    violations: Option<&mut Vec<Violation>>,
) -> Result<Report, Failure> {
    let opening = match lines.next()? {
        Line::None => return Err(Failure::of_file("the file is empty")),
        Line::Cut => {
            return Err(Failure::of_file("the file is no export of Workroom, or it was cut within its first line"));
        }
        Line::Whole(line) => Opening::read(line, options)?,
    };
    let mut checks = Checks::new(opening, violations)?;
    loop {
        match lines.next()? {
            Line::None | Line::Cut => return Err(checks.cut()),
            Line::Whole(line) if line.starts_with("{\"end\"") => {
                let report = checks.end(line)?;
                return match lines.next()? {
                    Line::None => Ok(report),
                    Line::Whole("") => Err(Failure::of_file(
                        "an empty line stands behind the last line: whatever saved the file has added it. Save what is \
                         sent, and nothing else (curl --output FILE), or take that line away (sed '$d' FILE > OTHER)",
                    )),
                    _ => Err(Failure::of_file("something stands behind the last line")),
                };
            }
            Line::Whole(line) => checks.event(line)?,
        }
    }
}

#[cfg(test)]
mod tests;
