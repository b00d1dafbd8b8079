//! Why a project may say no.

use crate::refusal::{self, Code, Refusal};

crate::codes! {
    NOT_DELETED = "not-deleted", Conflict,
        "the project is not deleted, and only a deleted project is purged",
        "delete it first, or redact single events";
    END_BEFORE_START = "end-before-start", Field,
        "the end lies before the start",
        "send both dates, the later one as the end";
}

/// Why a project may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectRefusal {
    /// There is no such project, or no longer.
    #[error("there is no such project")]
    Absent,
    /// The id is taken.
    #[error("the project exists already")]
    AlreadyExists,
    /// The end lies before the start.
    #[error("end_date must not be before start_date")]
    EndBeforeStart,
    /// Only a deleted project is purged.
    #[error("the project is not deleted")]
    NotDeleted,
}

impl Refusal for ProjectRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent => refusal::NOT_FOUND,
            Self::AlreadyExists => refusal::CONTENDED,
            Self::EndBeforeStart => END_BEFORE_START,
            Self::NotDeleted => NOT_DELETED,
        }
    }

    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Absent | Self::AlreadyExists | Self::NotDeleted => None,
            Self::EndBeforeStart => Some("/end_date"),
        }
    }
}
