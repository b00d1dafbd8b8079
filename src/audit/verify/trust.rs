//! Whose signatures count.
//!
//! A key of another log counts for nothing, whoever names it. Of the keys that were given the first one has to have signed the file;
//! those behind it are retired, and maybe in the wrong hands: they count for the older checkpoint alone. Where none was given, the
//! file's own count, and of these the one that has signed the older checkpoint.

use std::slice;

use workroom_proofs::{
    checkpoint::{Checkpoint, origin},
    note::{self, InvalidNote, Verifier},
};

use super::{Failure, Options};
use crate::audit::export::Header;

const OLDER: &str = "the older checkpoint";

/// The keys whose signatures count.
pub(super) struct Trust {
    /// All of this log: those that were given, and then those that the file names.
    known: Vec<Verifier>,
    /// Those of them that count, and have signed all that was read so far.
    trusted: Vec<Verifier>,
    is_own: bool,
    /// Whose key it is that counts.
    than: &'static str,
}

impl Trust {
    /// Whose signatures count for the file; and the older checkpoint, which one of the keys has signed.
    pub(super) fn of(header: &Header, options: &Options) -> Result<(Self, Option<Checkpoint>), Failure> {
        let own: Result<Vec<Verifier>, _> = header.keys.iter().map(|key| key.parse::<Verifier>()).collect();
        let own = own.map_err(|error| Failure::of_file(format!("a key in the header cannot be read: {error}")))?;
        let origin = origin(header.log_id);
        let (given, is_own) = (of_log(&options.keys, &origin), options.keys.is_empty());
        if let Some(other) = options.keys.first().filter(|_| given.is_empty()) {
            return Err(Failure::of_file(format!(
                "the keys that were given are of another log: of {}, and the file is of {origin}",
                other.name()
            )));
        }
        let known = of_log(given.iter().chain(&own), &origin);
        if known.is_empty() {
            return Err(Failure::of_file(format!("the file names no key of its log, {origin}")));
        }
        let trusted = if is_own { known.clone() } else { given };
        let mut trust = Self { known, trusted, is_own, than: "its checkpoint" };
        let older = options.older.as_deref().map(|older| trust.older(older, &origin)).transpose()?;
        if !is_own {
            trust.trusted.truncate(1);
            trust.than = "the first one given";
        }
        Ok((trust, older))
    }

    /// Whether the keys are the file's own.
    pub(super) fn is_own(&self) -> bool {
        self.is_own
    }

    /// The name and the id of the key that has signed all that was read so far.
    pub(super) fn signer(&self) -> String {
        self.trusted.first().map_or_else(String::new, |key| format!("{}+{:08x}", key.name(), key.key_id()))
    }

    /// A checkpoint of the file. One of the keys has signed it, and all that was read before.
    pub(super) fn signed(&mut self, text: &str, what: &str) -> Result<Checkpoint, Failure> {
        let (checkpoint, signers) = self.open(text, what)?;
        if signers.is_empty() {
            return Err(another_key("the file", self.than));
        }
        self.trusted = signers;
        Ok(checkpoint)
    }

    /// A checkpoint, and those of the keys that count that have signed it.
    fn open(&self, text: &str, what: &str) -> Result<(Checkpoint, Vec<Verifier>), Failure> {
        let signed = note::open(text, &self.known).map_err(|error| {
            Failure::of_file(match error {
                InvalidNote::UnknownKeys if self.is_own => {
                    format!("{what} is signed by no key in the file: give the log's key with --key")
                }
                InvalidNote::UnknownKeys => format!("{what} is signed by no key that is given or in the file"),
                _ => format!("{what} does not hold: {error}"),
            })
        })?;
        let checkpoint = signed.parse::<Checkpoint>();
        let checkpoint = checkpoint.map_err(|error| Failure::of_file(format!("{what} cannot be read: {error}")))?;
        let has_signed = |key: &&Verifier| note::open(text, slice::from_ref(*key)).is_ok();
        Ok((checkpoint, self.trusted.iter().filter(has_signed).cloned().collect()))
    }

    /// The older checkpoint, of the log with this origin. Where no key was given, only the one that has signed it counts from
    /// then on.
    fn older(&mut self, text: &str, origin: &str) -> Result<Checkpoint, Failure> {
        if text.trim().is_empty() {
            return Err(Failure::of_file(format!("{OLDER} is empty")));
        }
        // Without keys this reads its form, and no more.
        if let Err(error @ (InvalidNote::Malformed | InvalidNote::TooManySignatures)) = note::open(text, &[]) {
            return Err(Failure::of_file(format!("{OLDER} cannot be read: {error}")));
        }
        // Another log has another key, too: which log it is says more.
        let its = text.lines().next().unwrap_or_default();
        if its != origin {
            return Err(Failure::of_file(format!("{OLDER} is of another log or feed: of {its}, not of {origin}")));
        }
        let (older, signers) = self.open(text, OLDER)?;
        if signers.is_empty() {
            return Err(another_key(OLDER, "those given"));
        }
        if self.is_own {
            // Whoever had the checkpoint in hand can have added a signature of their own, and named its key in the file.
            if signers.len() > 1 {
                return Err(Failure::of_file(format!(
                    "more than one key in the file has signed {OLDER}: give the log's key with --key"
                )));
            }
            (self.trusted, self.than) = (signers, OLDER);
        }
        Ok(older)
    }
}

/// Those of a log, each once.
fn of_log<'k>(keys: impl IntoIterator<Item = &'k Verifier>, origin: &str) -> Vec<Verifier> {
    let mut found: Vec<Verifier> = Vec::new();
    for key in keys {
        if key.name() == origin && !found.contains(key) {
            found.push(key.clone());
        }
    }
    found
}

fn another_key(what: &str, than: &str) -> Failure {
    Failure::of_file(format!(
        "{what} is signed by another key than {than}: after a rotation, give the current key first and the retired one \
         after it (--key CURRENT --key RETIRED); if the key was not rotated, somebody else has signed it"
    ))
}
