//! Why a comment may say no.

/// Why a comment may say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommentRefusal {
    /// There is no such comment, or no longer.
    #[error("the comment does not exist")]
    Absent,
    /// The id is taken.
    #[error("the comment exists already")]
    AlreadyExists,
}
