//! Values as Postgres reads them from JSON.

use serde::{Serialize, Serializer};

/// A point in time as Postgres reads it.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct At(#[serde(with = "time::serde::rfc3339")] pub time::OffsetDateTime);

/// Bytes as Postgres reads them into a `bytea`.
#[derive(Clone, Debug)]
pub struct Bytea<'a>(pub &'a [u8]);

impl Serialize for Bytea<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("\\x{}", hex::encode(self.0)))
    }
}
