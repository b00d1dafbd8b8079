//! Why a project may say no.

/// Why a project may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectRefusal {
    /// There is no such project, or no longer.
    #[error("the project does not exist")]
    Absent,
    /// The id is taken.
    #[error("the project exists already")]
    AlreadyExists,
    /// The end lies before the start.
    #[error("end_date must not be before start_date")]
    EndBeforeStart,
}
