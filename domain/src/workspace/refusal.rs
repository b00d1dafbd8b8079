//! Why a workspace may say no.

use crate::refusal::{self, Code, Refusal};

crate::codes! {
    PATH_TAKEN = "path-taken", Conflict,
        "another file lies at this path",
        "choose another path, or change the file that lies there";
    PATH_IS_A_FOLDER = "path-is-a-folder", Conflict,
        "other files lie below this path, so that it is a folder",
        "choose another path";
    PATH_BELOW_A_FILE = "path-below-a-file", Conflict,
        "a part of the path is a file, so that nothing can lie in it",
        "choose another path, or move the file that lies there";
    WORKSPACE_FULL = "workspace-full", Conflict,
        "the workspace holds as many files as it can",
        "delete files, or make another workspace";
    MALFORMED_PATH = "malformed-path", Field,
        "the path is not one of a file: relative, with `/` between parts, none of them `.` or `..`",
        "correct the path; the detail names what is wrong with it";
}

/// Why a workspace may say no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceRefusal {
    /// There is no such workspace, or no longer.
    #[error("there is no such workspace")]
    Absent,
    /// The id is taken.
    #[error("the workspace exists already")]
    AlreadyExists,
    /// There is no such file in it, or no longer.
    #[error("there is no such file")]
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
        /// How many files a workspace may hold: `Workspace::FILE_LIMIT`.
        limit: usize,
    },
}

impl Refusal for WorkspaceRefusal {
    fn code(&self) -> &'static Code {
        match self {
            Self::Absent | Self::NoSuchFile => refusal::NOT_FOUND,
            Self::AlreadyExists => refusal::CONTENDED,
            Self::PathTaken(_) => PATH_TAKEN,
            Self::NotAFolder(_) => PATH_BELOW_A_FILE,
            Self::IsAFolder(_) => PATH_IS_A_FOLDER,
            Self::Full { .. } => WORKSPACE_FULL,
        }
    }
}
