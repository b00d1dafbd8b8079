//! Why a task may say no.

use crate::refusal::{self, Code, Refusal};

/// Why a task may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskRefusal {
    /// There is no such task, or no longer.
    #[error("there is no such task")]
    Absent,
    /// The id is taken.
    #[error("the task exists already")]
    AlreadyExists,
}

impl Refusal for TaskRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent => refusal::NOT_FOUND,
            Self::AlreadyExists => refusal::CONTENDED,
        }
    }
}
