//! The header: who signed it, and what the events behind it have to come to.

use std::collections::HashMap;

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;
use workroom_proofs::{
    checkpoint::{Checkpoint, export_origin, feed_origin, origin},
    frontier::Frontier,
    hash::Hash,
    tree::verify_consistency,
};

use super::{Failure, Options, trust::Trust};
use crate::audit::export::{Consistency, EpochHead, FORMAT, FORMAT_FAMILY, FeedHead, Header, Scope};

/// A feed that is in the file completely.
pub(super) struct Feed {
    pub frontier: Frontier,
    pub checkpoint: Checkpoint,
}

/// What the header says, once its signatures hold.
pub(super) struct Opening {
    pub log_id: Uuid,
    pub scope: Scope,
    pub after: u64,
    pub epochs: Vec<EpochHead>,
    /// The log up to where the file begins.
    pub log: Frontier,
    pub checkpoint: Checkpoint,
    pub feeds: HashMap<Uuid, Feed>,
    pub own_keys: bool,
    /// The name and the id of the key that signed the file.
    pub signed_by: String,
    /// The size of the older checkpoint.
    pub older: Option<u64>,
    /// The events of other feeds that are in the file, and what is signed of them.
    pub context: Frontier,
    pub seal: String,
    /// The older checkpoint, when only the events can tell whether the log goes on from it.
    pub passes: Option<(u64, Hash)>,
}

impl Opening {
    pub(super) fn read(line: &str, options: &Options) -> Result<Self, Failure> {
        let header = header(line)?;
        let (mut trust, older) = Trust::of(&header, options)?;
        let checkpoint = trust.signed(&header.checkpoint, "the checkpoint")?;
        if checkpoint.origin != origin(header.log_id) {
            return Err(Failure::of_file("the checkpoint is one of another log than the file says"));
        }
        let after = header.from_position.unwrap_or_default();
        if after > checkpoint.size || i64::try_from(checkpoint.size).is_err() {
            return Err(Failure::of_file("the file begins behind the end of the log that its checkpoint signs"));
        }
        let seal = seal(&header, &checkpoint, &mut trust)?;
        let log = frontier(after, header.frontier.as_deref(), "the log")?;
        check_scope(&header)?;
        check_epochs(&header.epochs)?;
        let mut feeds = HashMap::new();
        for head in &header.feeds {
            let feed = feed(head, &header, &mut trust, checkpoint.size)?;
            if feeds.insert(head.feed_id, feed).is_some() {
                return Err(Failure::of_file(format!("the header names feed {} twice", head.feed_id)));
            }
        }
        let mut opening = Self {
            log_id: header.log_id,
            scope: header.scope,
            after,
            epochs: header.epochs,
            log,
            checkpoint,
            feeds,
            own_keys: trust.is_own(),
            signed_by: trust.signer(),
            older: None,
            context: Frontier::new(),
            seal,
            passes: None,
        };
        if let Some(older) = older {
            opening.goes_on_from(&older, header.consistency.as_ref())?;
        }
        Ok(opening)
    }

    /// Checks that the log goes on from an older checkpoint, as far as the header can tell.
    fn goes_on_from(&mut self, older: &Checkpoint, consistency: Option<&Consistency>) -> Result<(), Failure> {
        let (from, to) = (older.size, self.checkpoint.size);
        if from > to {
            return Err(Failure::of_file(format!(
                "the log was rolled back, or the file is older than the checkpoint: that has {from} events, and the file's {to}"
            )));
        }
        self.older = Some(from);
        let changed = || Failure::of_file(format!("what the log had at its first {from} events was changed since"));
        if from == to {
            return if older.root == self.checkpoint.root { Ok(()) } else { Err(changed()) };
        }
        match consistency.filter(|proof| proof.from == from) {
            Some(proof) => {
                let holds = verify_consistency(from, &older.root, to, &self.checkpoint.root, &proof.hashes);
                if holds { Ok(()) } else { Err(changed()) }
            }
            None if self.scope.is_all() && from >= self.after => {
                self.passes = Some((from, older.root));
                Ok(())
            }
            None => Err(Failure::of_file(format!(
                "the file does not tell how the log goes on from the older checkpoint: export it with --consistency-from {from}"
            ))),
        }
    }
}

fn header(line: &str) -> Result<Header, Failure> {
    /// All but the format is passed over, whatever it is.
    #[derive(Deserialize)]
    struct Named {
        format: Option<String>,
    }
    let format = serde_json::from_str::<Named>(line).ok().and_then(|named| named.format);
    match format.as_deref() {
        Some(FORMAT) => {}
        Some(other) if other.starts_with(FORMAT_FAMILY) => {
            return Err(Failure::of_file(format!(
                "the file has the format {other}, and this version reads {FORMAT}: verify it with the version that wrote it"
            )));
        }
        _ => return Err(Failure::of_file("the file is no export of Workroom: its first line is no header of one")),
    }
    let header: Header =
        serde_json::from_str(line).map_err(|error| Failure::of_file(format!("the header cannot be read: {error}")))?;
    let is_canonical = serde_json::to_string(&header).is_ok_and(|written| written == line);
    if !is_canonical {
        return Err(Failure::of_file("the header is not in the one form that it has in an export"));
    }
    if OffsetDateTime::parse(&header.exported_at, &Rfc3339).is_err() {
        return Err(Failure::of_file("the header does not say when the file was exported"));
    }
    Ok(header)
}

/// Checks that the header is the one that was signed; returns what was signed of the events of other feeds.
fn seal(header: &Header, checkpoint: &Checkpoint, trust: &mut Trust) -> Result<String, Failure> {
    let changed = || Failure::of_file("the header is not the one that was signed: something of it was changed");
    let note = header.signature.as_deref().ok_or_else(changed)?;
    let signed = trust.signed(note, "the signature of the header")?;
    let its = header.seal(&Frontier::new()).map_err(|error| Failure::of_file(error.to_string()))?;
    let is_of_log = (signed.origin.as_str(), signed.size, signed.root)
        == (export_origin(header.log_id).as_str(), checkpoint.size, checkpoint.root);
    match signed.extensions.as_slice() {
        [digest, context] if is_of_log && its.first() == Some(digest) => Ok(context.clone()),
        _ => Err(changed()),
    }
}

fn frontier(size: u64, hashes: Option<&[Hash]>, what: &str) -> Result<Frontier, Failure> {
    let is_there = hashes.is_some() == (size > 0);
    let frontier = Frontier::from_nodes(size, hashes.unwrap_or_default()).filter(|_| is_there);
    frontier.ok_or_else(|| Failure::of_file(format!("the header has not the hashes of {what} before the file")))
}

fn feed(head: &FeedHead, header: &Header, trust: &mut Trust, size: u64) -> Result<Feed, Failure> {
    let what = format!("the checkpoint of feed {}", head.feed_id);
    let checkpoint = trust.signed(&head.checkpoint, &what)?;
    if checkpoint.origin != feed_origin(header.log_id, head.feed_id) {
        return Err(Failure::of_file(format!("{what} is one of another feed")));
    }
    if checkpoint.extensions != [format!("log {size}")] {
        return Err(Failure::of_file(format!("{what} does not belong to the checkpoint of the log")));
    }
    let is_begun = header.from_position.is_some_and(|from| from > 0) || head.after == 0;
    if head.after > checkpoint.size || !is_begun {
        return Err(Failure::of_file(format!("{what} does not fit to where the file begins")));
    }
    Ok(Feed { frontier: frontier(head.after, head.frontier.as_deref(), &what)?, checkpoint })
}

fn check_scope(header: &Header) -> Result<(), Failure> {
    let first = header.feeds.first().map(|feed| feed.feed_id);
    let fits = match header.scope {
        Scope::All(all) => all && first.is_none() && header.from_position.is_some(),
        Scope::Project(id) => first == Some(id) && header.feeds.len() == 1,
        Scope::Organization(id) => first == Some(id),
    };
    if fits {
        Ok(())
    } else {
        Err(Failure::of_file("the feeds in the header are not those of what it says is exported"))
    }
}

fn check_epochs(epochs: &[EpochHead]) -> Result<(), Failure> {
    let begins = epochs.first().is_some_and(|epoch| epoch.first_position == 1);
    if begins && epochs.is_sorted_by(|one, next| one.first_position < next.first_position) {
        Ok(())
    } else {
        Err(Failure::of_file("the epochs in the header do not follow one another from the beginning"))
    }
}
