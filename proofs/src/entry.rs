//! An event as its leaf hashes it: everything that identifies it, and a commitment to its payload.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::hash::{Hash, sha256};

/// The first line of every entry.
const FORMAT: &str = "workroom.event/1";

/// The random bytes before a payload, which keep a redacted payload from being guessed by its hash.
pub type Salt = [u8; 16];

/// The salted hash that stands for a payload: of its bytes as they are stored.
pub fn commitment(salt: &Salt, payload: &[u8]) -> Hash {
    sha256(&[salt, payload])
}

/// What identifies an event, in the order of the lines of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The log: made once for each database.
    pub log_id: Uuid,
    /// The log's epoch at this position: another one after each restore from a backup.
    pub epoch: Uuid,
    /// The place in the whole log, from 1.
    pub position: i64,
    /// The event itself.
    pub event_id: Uuid,
    /// The project, organization or account whose feed it belongs to.
    pub feed_id: Uuid,
    /// The place in the feed, from 1.
    pub feed_seq: i64,
    /// The kind of aggregate.
    pub aggregate_type: &'a str,
    /// The aggregate, as stored.
    pub aggregate_id: &'a str,
    /// The place in the aggregate's history, from 1.
    pub sequence: i64,
    /// What happened.
    pub event_type: &'a str,
    /// The version of the payload's form.
    pub event_version: &'a str,
    /// When it happened, to the microsecond.
    pub recorded_at: OffsetDateTime,
    /// The metadata's bytes, as stored.
    pub metadata: &'a str,
    /// What stands for the payload: see [`commitment`].
    pub commitment: Hash,
}

/// Why an event has no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// One line would be two, and two events could have one entry.
    #[error("a field of the event has a line break in it")]
    LineBreak,
    /// What the entry leaves out could be changed unnoticed.
    #[error("the event's time is finer than a microsecond")]
    Precision,
}

impl Entry<'_> {
    /// The bytes that the leaf hashes.
    pub fn bytes(&self) -> Result<Vec<u8>, InvalidEntry> {
        let nanoseconds = self.recorded_at.unix_timestamp_nanos();
        if nanoseconds % 1000 != 0 {
            return Err(InvalidEntry::Precision);
        }
        let mut bytes = Vec::with_capacity(512);
        for line in [
            FORMAT,
            &self.log_id.to_string(),
            &self.epoch.to_string(),
            &self.position.to_string(),
            &self.event_id.to_string(),
            &self.feed_id.to_string(),
            &self.feed_seq.to_string(),
            self.aggregate_type,
            self.aggregate_id,
            &self.sequence.to_string(),
            self.event_type,
            self.event_version,
            &(nanoseconds / 1000).to_string(),
            &sha256(&[self.metadata.as_bytes()]).to_string(),
            &self.commitment.to_string(),
        ] {
            if line.contains('\n') {
                return Err(InvalidEntry::LineBreak);
            }
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        Ok(bytes)
    }

    /// The leaf's hash.
    pub fn leaf(&self) -> Result<Hash, InvalidEntry> {
        Ok(Hash::leaf(&self.bytes()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, UtcOffset, macros::datetime};

    use super::*;

    const SALT: Salt = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    fn entry() -> Entry<'static> {
        let id = |last: u128| Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0000 + last);
        Entry {
            log_id: id(1),
            epoch: id(2),
            position: 12,
            event_id: id(3),
            feed_id: id(4),
            feed_seq: 3,
            aggregate_type: "project",
            aggregate_id: "018f0000-0000-7000-8000-000000000004",
            sequence: 1,
            event_type: "ProjectCreated",
            event_version: "1.0",
            recorded_at: datetime!(2024-05-01 12:34:56.123456 UTC),
            metadata: r#"{"actor":"a"}"#,
            commitment: commitment(&SALT, br#"{"name":"Alpha"}"#),
        }
    }

    /// Signed trees, and other people's programs, depend on each byte. The hashes were computed by another program.
    #[test]
    fn the_entry_has_the_documented_lines() {
        let text = "workroom.event/1\n\
            018f0000-0000-7000-8000-000000000001\n\
            018f0000-0000-7000-8000-000000000002\n\
            12\n\
            018f0000-0000-7000-8000-000000000003\n\
            018f0000-0000-7000-8000-000000000004\n\
            3\n\
            project\n\
            018f0000-0000-7000-8000-000000000004\n\
            1\n\
            ProjectCreated\n\
            1.0\n\
            1714566896123456\n\
            003d2e33666896901095b9ca7b8fec700dd407740fac6ae638485762a81f079a\n\
            d833bd9806bf54ecc5728cf4a26e786c04eb51ece67e23f1e2a8cd35e95ebe43\n";
        assert_eq!(String::from_utf8(entry().bytes().unwrap()).unwrap(), text);
        let leaf = entry().leaf().unwrap().to_string();
        assert_eq!(leaf, "4976a1065e4650057d68c7bcf4cbd32c68285ff981368ce1a79e589efe4e4f55");
    }

    #[test]
    fn each_field_changes_the_leaf() {
        let same = entry();
        let other = Uuid::from_u128(7);
        let changed = [
            Entry { log_id: other, ..same },
            Entry { epoch: other, ..same },
            Entry { position: 13, ..same },
            Entry { event_id: other, ..same },
            Entry { feed_id: other, ..same },
            Entry { feed_seq: 4, ..same },
            Entry { aggregate_type: "task", ..same },
            Entry { aggregate_id: "a", ..same },
            Entry { sequence: 2, ..same },
            Entry { event_type: "ProjectDeleted", ..same },
            Entry { event_version: "2.0", ..same },
            Entry { recorded_at: same.recorded_at + Duration::MICROSECOND, ..same },
            Entry { metadata: r#"{"actor": "a"}"#, ..same },
            Entry { commitment: commitment(&[0; 16], br#"{"name":"Alpha"}"#), ..same },
            Entry { commitment: commitment(&SALT, br#"{"name":"alpha"}"#), ..same },
        ];
        for entry in changed {
            assert_ne!(entry.leaf(), same.leaf(), "{entry:?}");
        }
    }

    #[test]
    fn a_field_of_two_lines_has_no_entry() {
        let same = entry();
        for broken in [
            Entry { aggregate_type: "project\n", ..same },
            Entry { aggregate_id: "a\nb", ..same },
            Entry { event_type: "\n", ..same },
            Entry { event_version: "1.0\n2", ..same },
        ] {
            assert_eq!(broken.leaf(), Err(InvalidEntry::LineBreak));
        }
        // Of the metadata there is only the hash.
        assert!(Entry { metadata: "{\n}", ..same }.leaf().is_ok());
    }

    #[test]
    fn a_moment_is_one_whatever_its_offset_and_has_no_parts_of_a_microsecond() {
        let same = entry();
        let elsewhere =
            Entry { recorded_at: same.recorded_at.to_offset(UtcOffset::from_hms(5, 30, 0).unwrap()), ..same };
        assert_eq!(elsewhere.leaf(), same.leaf());
        let finer = Entry { recorded_at: same.recorded_at + Duration::NANOSECOND, ..same };
        assert_eq!(finer.leaf(), Err(InvalidEntry::Precision));
        let before_1970 = Entry { recorded_at: datetime!(1969-12-31 23:59:59.999999 UTC), ..same };
        assert!(String::from_utf8(before_1970.bytes().unwrap()).unwrap().contains("\n-1\n"));
    }

    proptest! {
        #[test]
        fn texts_of_any_kind_make_an_entry_of_fifteen_lines_or_none(
            kind in any::<String>(), id in any::<String>(), position: i64, metadata in any::<String>(),
        ) {
            let entry = Entry { aggregate_type: &kind, aggregate_id: &id, position, metadata: &metadata, ..entry() };
            match entry.bytes() {
                Ok(bytes) => prop_assert_eq!(bytes.split(|byte| *byte == b'\n').count(), 16),
                Err(refused) => {
                    prop_assert_eq!(refused, InvalidEntry::LineBreak);
                    prop_assert!(kind.contains('\n') || id.contains('\n'));
                }
            }
        }
    }
}
