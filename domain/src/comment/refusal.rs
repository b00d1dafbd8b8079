//! Why a comment may say no.

use crate::refusal::{self, Code, Refusal};

/// Why a comment may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommentRefusal {
    /// There is no such comment, or no longer.
    #[error("there is no such comment")]
    Absent,
    /// The id is taken.
    #[error("the comment exists already")]
    AlreadyExists,
}

impl Refusal for CommentRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent => refusal::NOT_FOUND,
            Self::AlreadyExists => refusal::CONTENDED,
        }
    }
}
