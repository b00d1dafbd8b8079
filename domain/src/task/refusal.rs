//! Why a task may say no.

/// Why a task may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskRefusal {
    /// There is no such task, or no longer.
    #[error("the task does not exist")]
    Absent,
    /// The id is taken.
    #[error("the task exists already")]
    AlreadyExists,
}
