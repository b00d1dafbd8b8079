//! A moment that everything it passes through can hold: JSON, the log and the read models.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A moment in UTC, to the microsecond, of the years 1 to 9999: what RFC 3339 can write and Postgres can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timestamp(OffsetDateTime);

/// The moment lies before the year 1 or after the year 9999, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must lie in the years 0001 to 9999, in UTC")]
pub struct OutOfRange;

impl Timestamp {
    /// The moment in UTC, cut to the microsecond.
    pub fn new(at: OffsetDateTime) -> Result<Self, OutOfRange> {
        let at = at.checked_to_offset(UtcOffset::UTC).ok_or(OutOfRange)?;
        let at = at.replace_microsecond(at.microsecond()).map_err(|_| OutOfRange)?;
        if (1..=9999).contains(&at.year()) { Ok(Self(at)) } else { Err(OutOfRange) }
    }

    /// The moment with the offset of UTC, and without a fraction of a microsecond.
    pub fn get(self) -> OffsetDateTime {
        self.0
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.format(&Rfc3339).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = OffsetDateTime::parse(&text, &Rfc3339)
            .map_err(|_| D::Error::custom("must be a date and time with a zone (RFC 3339)"))?;
        Self::new(at).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Timestamp, serde_json::Error> {
        serde_json::from_value(text.into())
    }

    #[test]
    fn a_moment_is_kept_in_utc_to_the_microsecond() {
        let at = read("2026-11-21T10:00:00.123456789+02:00").unwrap();
        assert_eq!(serde_json::to_value(at).unwrap(), "2026-11-21T08:00:00.123456Z");
        assert_eq!(read("2026-11-21T08:00:00.123456Z").unwrap(), at);
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for bad in [
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+01:00",
            "0000-06-01T00:00:00Z",
            "2026-11-21T10:00:00",
            "x",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read("9999-12-31T23:59:59Z").is_ok());
    }
}
