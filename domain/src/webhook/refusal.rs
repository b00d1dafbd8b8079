//! Why a webhook may say no.

use crate::refusal::{self, Code, Refusal};

crate::codes! {
    WEBHOOK_DISABLED = "webhook-disabled", Conflict,
        "the webhook is disabled, and sends nothing",
        "enable it first";
}

/// Why a webhook may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// There is no such webhook, or no longer.
    #[error("there is no such webhook")]
    Absent,
    /// The id is taken.
    #[error("the webhook exists already")]
    AlreadyExists,
    /// It sends nothing.
    #[error("the webhook is disabled, and sends nothing")]
    Disabled,
}

impl Refusal for WebhookRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent => refusal::NOT_FOUND,
            Self::AlreadyExists => refusal::CONTENDED,
            Self::Disabled => WEBHOOK_DISABLED,
        }
    }
}
