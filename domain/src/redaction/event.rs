//! That an event was redacted, as an event.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Placeholder;
use crate::{file::Sha256, text::Name};

/// What was redacted, why, and what remains of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Redaction))]
pub struct PayloadRedacted {
    /// The place of the redacted event in the whole log.
    pub position: i64,
    /// The id of the redacted event.
    pub event_id: Uuid,
    /// The type of the redacted event.
    pub event_type: String,
    /// Why it was redacted. It stays in the log for ever, so it must not repeat what was redacted.
    pub reason: Name,
    /// The SHA-256 digest of the payload that remains, as 64 lower-case hexadecimal digits.
    pub remains: Sha256,
    /// The fields that had their values from the redacted event, and have placeholders from now on.
    pub fields: Vec<String>,
}

impl PayloadRedacted {
    /// Whether a field had its value from the redacted event.
    pub fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|affected| affected == field)
    }

    /// What stands for a text from now on.
    pub fn text(&self, placeholder: Placeholder) -> String {
        placeholder.text(self.position)
    }
}
