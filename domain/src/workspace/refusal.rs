//! Why a workspace may say no.

/// Why a workspace may say no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceRefusal {
    /// There is no such workspace, or no longer.
    #[error("the workspace does not exist")]
    Absent,
    /// The id is taken.
    #[error("the workspace exists already")]
    AlreadyExists,
    /// There is no such file in it, or no longer.
    #[error("the file does not exist")]
    NoSuchFile,
    /// Another file lies there.
    #[error("`{0}` is a file that exists already")]
    PathTaken(String),
    /// What would have to be a folder is a file.
    #[error("`{0}` is a file, so that nothing can lie in it")]
    NotAFolder(String),
    /// What would have to be a file is a folder.
    #[error("`{0}` is a folder: files lie in it")]
    IsAFolder(String),
    /// It is full.
    #[error("a workspace holds at most {limit} files")]
    Full {
        /// Most files.
        limit: usize,
    },
}
