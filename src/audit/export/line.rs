//! A line of an export: one event, as a `CloudEvent` in structured JSON, in exactly one form.

use std::{borrow::Cow, fmt::Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use uuid::Uuid;
use workroom_proofs::{
    entry::{self, Entry, Salt},
    hash::Hash,
};

/// What the payload stands behind. It cannot stand inside a JSON text, where quotes are escaped.
const DATA: &str = ",\"data\":";
const SOURCE: &str = "workroom/";
const HASH_BYTES: usize = 32;

/// What ties a payload to its leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// The payload is here, and this was hashed before it.
    Salt(Salt),
    /// The payload was taken out, and its tombstone is here; this is what was hashed instead of it. What ties the tombstone to the log
    /// is a later event of the same stream, which has its hash.
    Commitment(Hash),
}

/// An event of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine<'a> {
    /// Id of the event.
    pub event_id: Uuid,
    /// The log.
    pub log_id: Uuid,
    /// The event's type.
    pub event_type: Cow<'a, str>,
    /// What kind of thing it happened to.
    pub aggregate_type: Cow<'a, str>,
    /// What it happened to.
    pub aggregate_id: Cow<'a, str>,
    /// When the log recorded it.
    pub recorded_at: OffsetDateTime,
    /// Its place in the log.
    pub position: i64,
    /// The feed that it belongs to.
    pub feed_id: Uuid,
    /// Its place in the feed.
    pub feed_seq: i64,
    /// Its place in its aggregate's stream.
    pub sequence: i64,
    /// The version of the payload's form.
    pub event_version: Cow<'a, str>,
    /// The metadata, as stored.
    pub metadata: Cow<'a, str>,
    /// The hash of its leaf, as the log holds it: whether it fits, [`EventLine::hash`] tells.
    pub leaf: Hash,
    /// What ties the payload to the leaf.
    pub tie: Tie,
    /// The hashes of what lies between this event and the one before it in the file.
    pub skipped: Vec<Hash>,
    /// The payload, as stored: what is left of it, where it was taken out.
    pub data: Cow<'a, str>,
}

/// All of a line but its payload, as it stands there.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    id: Uuid,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    datacontenttype: Cow<'a, str>,
    #[serde(borrow)]
    position: Cow<'a, str>,
    feedid: Uuid,
    #[serde(borrow)]
    feedseq: Cow<'a, str>,
    #[serde(borrow)]
    sequence: Cow<'a, str>,
    #[serde(borrow)]
    eventversion: Cow<'a, str>,
    #[serde(borrow)]
    metadata: Cow<'a, str>,
    leaf: Hash,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    salt: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    commitment: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    skipped: Option<Cow<'a, str>>,
}

impl EventLine<'_> {
    /// Appends the line, with its end.
    ///
    /// # Errors
    /// A payload that no line can hold.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), String> {
        self.write_envelope(out).map_err(|error| error.to_string())?;
        if self.data.contains('\n') || !self.data.starts_with('{') || !self.data.ends_with('}') {
            return Err("the payload is no JSON object on one line".to_owned());
        }
        out.extend_from_slice(DATA.as_bytes());
        out.extend_from_slice(self.data.as_bytes());
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    /// Without its closing brace.
    fn write_envelope(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        let (salt, commitment) = match self.tie {
            Tie::Salt(salt) => (Some(hex::encode(salt).into()), None),
            Tie::Commitment(commitment) => (None, Some(commitment.to_string().into())),
        };
        let envelope = Envelope {
            specversion: "1.0".into(),
            id: self.event_id,
            source: format!("{SOURCE}{}", self.log_id).into(),
            event_type: self.event_type.as_ref().into(),
            subject: format!("{}/{}", self.aggregate_type, self.aggregate_id).into(),
            time: written_time(self.recorded_at).into(),
            datacontenttype: "application/json".into(),
            position: self.position.to_string().into(),
            feedid: self.feed_id,
            feedseq: self.feed_seq.to_string().into(),
            sequence: self.sequence.to_string().into(),
            eventversion: self.event_version.as_ref().into(),
            metadata: self.metadata.as_ref().into(),
            leaf: self.leaf,
            salt,
            commitment,
            skipped: written_hashes(&self.skipped).map(Cow::Owned),
        };
        serde_json::to_writer(&mut *out, &envelope)?;
        out.pop();
        Ok(())
    }

    /// The hash that its leaf in the trees must have.
    ///
    /// # Errors
    /// A field that no leaf can hold.
    pub fn hash(&self, epoch: Uuid) -> Result<Hash, String> {
        let commitment = match &self.tie {
            Tie::Salt(salt) => entry::commitment(salt, self.data.as_bytes()),
            Tie::Commitment(commitment) => *commitment,
        };
        let entry = Entry {
            log_id: self.log_id,
            epoch,
            position: self.position,
            event_id: self.event_id,
            feed_id: self.feed_id,
            feed_seq: self.feed_seq,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.event_version,
            recorded_at: self.recorded_at,
            metadata: &self.metadata,
            commitment,
        };
        entry.leaf().map_err(|error| error.to_string())
    }
}

impl<'a> EventLine<'a> {
    /// Reads a line, without its end. `buffers` are written over, and keep what is allocated from one line to the next.
    ///
    /// # Errors
    /// What is wrong with it. Every byte counts: what says the same in another form is refused.
    pub fn parse(line: &'a str, buffers: &'a mut Buffers) -> Result<Self, String> {
        let at = line.find(DATA).ok_or("it has no data")?;
        let (envelope, data) = (&line[..at], &line[at + DATA.len()..]);
        let data = data.strip_suffix('}').ok_or("it does not end with a brace")?;
        let Buffers { envelope: text, written } = buffers;
        text.clear();
        text.push_str(envelope);
        text.push('}');
        let read: Envelope<'a> = serde_json::from_str(text).map_err(|error| format!("it cannot be read: {error}"))?;
        let line = Self::from_envelope(read, data)?;
        written.clear();
        line.write_envelope(written).map_err(|error| error.to_string())?;
        if written.as_slice() != envelope.as_bytes() {
            return Err("it is not in the one form that an event has in an export".to_owned());
        }
        Ok(line)
    }

    fn from_envelope(read: Envelope<'a>, data: &'a str) -> Result<Self, String> {
        if read.specversion != "1.0" || read.datacontenttype != "application/json" {
            return Err("it is no CloudEvent 1.0 with JSON".to_owned());
        }
        let log_id = read.source.strip_prefix(SOURCE).and_then(|id| Uuid::try_parse(id).ok());
        let (aggregate_type, aggregate_id) = match read.subject {
            Cow::Borrowed(subject) => {
                subject.split_once('/').map(|(kind, id)| (Cow::Borrowed(kind), Cow::Borrowed(id)))
            }
            Cow::Owned(subject) => {
                subject.split_once('/').map(|(kind, id)| (Cow::Owned(kind.to_owned()), Cow::Owned(id.to_owned())))
            }
        }
        .ok_or("its subject is not <type>/<id>")?;
        let tie = match (read.salt, read.commitment) {
            (Some(salt), None) => {
                let salt = hex::decode(salt.as_bytes()).ok().and_then(|salt| Salt::try_from(salt).ok());
                Tie::Salt(salt.ok_or("its salt is not 16 bytes in hexadecimal digits")?)
            }
            (None, Some(commitment)) => Tie::Commitment(commitment.parse().map_err(|_| "its commitment is no hash")?),
            _ => return Err("it has to have a salt or a commitment, and not both".to_owned()),
        };
        Ok(Self {
            event_id: read.id,
            log_id: log_id.ok_or("its source names no log")?,
            event_type: read.event_type,
            aggregate_type,
            aggregate_id,
            recorded_at: OffsetDateTime::parse(&read.time, &Rfc3339).map_err(|_| "its time cannot be read")?,
            position: counted(&read.position, "position")?,
            feed_id: read.feedid,
            feed_seq: counted(&read.feedseq, "feedseq")?,
            sequence: counted(&read.sequence, "sequence")?,
            event_version: read.eventversion,
            metadata: read.metadata,
            leaf: read.leaf,
            tie,
            skipped: read.skipped.as_deref().map(read_hashes).transpose()?.unwrap_or_default(),
            data: data.into(),
        })
    }
}

/// What reading a line needs room for.
#[derive(Debug, Default)]
pub struct Buffers {
    envelope: String,
    written: Vec<u8>,
}

fn counted(text: &str, name: &str) -> Result<i64, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("its {name} is no number from 1"))
}

/// A time in UTC, to the microsecond.
pub fn written_time(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    let mut text = String::with_capacity(27);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second, micro) = time.to_hms_micro();
    // Writing into a String does not fail.
    let _ = write!(text, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z", u8::from(month));
    text
}

/// Hashes one behind the other, in base64; none for no hashes.
pub fn written_hashes(hashes: &[Hash]) -> Option<String> {
    if hashes.is_empty() {
        return None;
    }
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    Some(STANDARD.encode(bytes))
}

/// Reads what [`written_hashes`] wrote.
///
/// # Errors
/// The text is none of that.
pub fn read_hashes(text: &str) -> Result<Vec<Hash>, String> {
    let bytes = STANDARD.decode(text).map_err(|_| "the skipped hashes are not in base64")?;
    let whole = !bytes.is_empty() && bytes.len().is_multiple_of(HASH_BYTES);
    let hashes: Option<Vec<Hash>> = bytes.chunks(HASH_BYTES).map(Hash::from_slice).collect();
    hashes.filter(|_| whole).ok_or_else(|| "the skipped hashes are cut".to_owned())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn line() -> EventLine<'static> {
        EventLine {
            event_id: Uuid::from_u128(1),
            log_id: Uuid::from_u128(2),
            event_type: "TaskCreated".into(),
            aggregate_type: "task".into(),
            aggregate_id: Uuid::from_u128(3).to_string().into(),
            recorded_at: datetime!(2026-11-23 10:00:00.000_120 UTC),
            position: 12,
            feed_id: Uuid::from_u128(4),
            feed_seq: 3,
            sequence: 1,
            event_version: "1".into(),
            metadata: r#"{"actor":"account:x"}"#.into(),
            leaf: Hash::leaf(b"z"),
            tie: Tie::Salt([7; 16]),
            skipped: vec![Hash::EMPTY, Hash::leaf(b"x")],
            data: r#"{"type":"TaskCreated","title":"a \",\\\"data\\\":"}"#.into(),
        }
    }

    fn written(line: &EventLine<'_>) -> String {
        let mut out = Vec::new();
        line.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_survives_its_written_form() {
        let tombstone = r#"{"type":"TaskCreated","title":"[redacted]"}"#;
        let redacted =
            EventLine { tie: Tie::Commitment(Hash::leaf(b"y")), data: tombstone.into(), skipped: vec![], ..line() };
        for line in [line(), redacted] {
            let text = written(&line);
            let mut buffers = Buffers::default();
            assert_eq!(EventLine::parse(text.strip_suffix('\n').unwrap(), &mut buffers).unwrap(), line, "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
        assert!(written(&line()).contains(r#""time":"2026-11-23T10:00:00.000120Z","datacontenttype""#));
    }

    #[test]
    fn there_is_one_form() {
        let text = written(&line());
        let text = text.strip_suffix('\n').unwrap();
        for (this, that) in [
            ("{\"specversion\"", "{ \"specversion\""),
            ("\"12\"", "\"012\""),
            ("\"12\"", "\"+12\""),
            ("\"12\"", "\"0\""),
            (".000120Z", ".00012Z"),
            (".000120Z", ".000120+00:00"),
            ("TaskCreated\",\"subject", "Task\\u0043reated\",\"subject"),
            ("\"salt\":\"07", "\"salt\":\"0F"),
            ("\"salt\"", "\"pepper\""),
            ("\"1.0\"", "\"1.1\""),
        ] {
            let other = text.replacen(this, that, 1);
            assert_ne!(other, text, "{this}");
            // Another salt is another line, and not another form.
            let changed = EventLine::parse(&other, &mut Buffers::default()).map(|line| line.tie);
            assert!(changed.is_err(), "{that}: {changed:?}");
        }
    }

    #[test]
    fn one_thing_ties_a_payload_to_the_log() {
        let text = written(&line());
        let text = text.trim_end();
        let salt = format!("\"salt\":\"{}\"", "07".repeat(16));
        let both = format!("{salt},\"commitment\":\"{}\"", "0a".repeat(32));
        assert_eq!(text.matches(&salt).count(), 1);
        for (tie, why) in [(both.as_str(), "and not both"), ("\"commitment\":\"0a\"", "is no hash")] {
            let wrong = EventLine::parse(&text.replace(&salt, tie), &mut Buffers::default()).unwrap_err();
            assert!(wrong.contains(why), "{wrong}");
        }
        let neither = text.replace(&format!(",{salt}"), "");
        assert!(EventLine::parse(&neither, &mut Buffers::default()).unwrap_err().contains("a salt or a commitment"));
    }
}
