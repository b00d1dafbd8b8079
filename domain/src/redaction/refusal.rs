//! Why an event may not be redacted.

use crate::refusal::{Code, Refusal};

crate::codes! {
    ALREADY_REDACTED = "already-redacted", Conflict,
        "the event was redacted before",
        "nothing: what it said is gone";
    NOTHING_TO_REDACT = "nothing-to-redact", Conflict,
        "the event holds no text: only ids, numbers, times and the like, or the reason of a redaction",
        "redact the event that holds the text; each event is redacted by itself";
}

/// Why an event may not be redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactionRefusal {
    /// It was redacted before.
    #[error("the event was redacted before")]
    AlreadyRedacted,
    /// It holds no text.
    #[error("the event holds nothing that can be redacted")]
    NothingToRedact,
}

impl Refusal for RedactionRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::AlreadyRedacted => ALREADY_REDACTED,
            Self::NothingToRedact => NOTHING_TO_REDACT,
        }
    }
}
