//! Whose signatures count: of the keys that were given, or else of those in the file.

use std::slice;

use workroom_proofs::{
    checkpoint::Checkpoint,
    note::{self, InvalidNote, Verifier},
};

use super::{Failure, Options};
use crate::audit::export::Header;

const OLDER: &str = "the older checkpoint";

/// The keys whose signatures count.
pub(super) struct Trust {
    keys: Vec<Verifier>,
    whose: Whose,
}

enum Whose {
    /// They were given.
    Given,
    /// They are all that the file names.
    File,
    /// The file names them, and they have signed the older checkpoint. The others that it names could be anybody's.
    Older { others: Vec<Verifier> },
}

impl Trust {
    pub(super) fn of(header: &Header, options: &Options) -> Result<Self, Failure> {
        if !options.keys.is_empty() {
            return Ok(Self { keys: options.keys.clone(), whose: Whose::Given });
        }
        let keys: Result<Vec<Verifier>, _> = header.keys.iter().map(|key| key.parse::<Verifier>()).collect();
        let keys = keys.map_err(|error| Failure::of_file(format!("a key in the header cannot be read: {error}")))?;
        Ok(Self { keys, whose: Whose::File })
    }

    /// Whether the keys are the file's own.
    pub(super) fn is_own(&self) -> bool {
        !matches!(self.whose, Whose::Given)
    }

    /// A checkpoint that one of the keys has signed.
    pub(super) fn signed(&self, text: &str, what: &str) -> Result<Checkpoint, Failure> {
        let signed = note::open(text, &self.keys).map_err(|error| {
            let hint = match (error, &self.whose) {
                (InvalidNote::UnknownKeys, Whose::Older { others }) if note::open(text, others).is_ok() => {
                    return Failure::of_file(format!(
                        "the file is signed by another key than {OLDER}: if the log's key was rotated in between, give \
                         both with --key; if it was not, somebody else has signed it"
                    ));
                }
                (InvalidNote::UnknownKeys, Whose::Given) => ": none of the keys that were given has signed it",
                (InvalidNote::UnknownKeys, Whose::File | Whose::Older { .. }) => ": no key in the file has signed it",
                _ => "",
            };
            Failure::of_file(format!("{what} does not hold: {error}{hint}"))
        })?;
        signed.parse::<Checkpoint>().map_err(|error| Failure::of_file(format!("{what} cannot be read: {error}")))
    }

    /// The older checkpoint, of the log with this origin. Where no key was given, only those that have signed it count from then
    /// on.
    pub(super) fn older(&mut self, text: &str, origin: &str) -> Result<Checkpoint, Failure> {
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
            return Err(Failure::of_file(format!(
                "{OLDER} is one of another log: of {its}, and the file is of {origin}"
            )));
        }
        if self.is_own() && note::open(text, &self.keys) == Err(InvalidNote::UnknownKeys) {
            return Err(Failure::of_file(format!(
                "{OLDER} is signed by no key in the file: give the log's key with --key"
            )));
        }
        let older = self.signed(text, OLDER)?;
        if self.is_own() {
            let has_signed = |key: &Verifier| note::open(text, slice::from_ref(key)).is_ok();
            let (keys, others) = std::mem::take(&mut self.keys).into_iter().partition(has_signed);
            *self = Self { keys, whose: Whose::Older { others } };
        }
        Ok(older)
    }
}
