//! Why a command or query was not answered. One type, free of transport: HTTP turns it into a status at the last step.

use std::time::Duration;

use workroom_domain::{
    account::AccountRefusal, comment::CommentRefusal, file::FileRefusal, invitation::InvitationRefusal,
    job::JobRefusal, membership::MembershipRefusal, organization::OrganizationRefusal, project::ProjectRefusal,
    task::TaskRefusal, text::TextRefused, workspace::WorkspaceRefusal,
};

use crate::event_store::{AppendError, LoadError};

/// A field that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Why a command or query was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No credentials, or none that hold.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The caller may know of the thing, but not do this with it.
    #[error("you do not have the right to do this")]
    Forbidden,
    /// There is no such thing, or none that the caller may know of.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The current state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The resource has changed since the version that the caller named.
    #[error("the resource has changed since the version given in If-Match")]
    Stale,
    /// Understood, but not valid.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// Too often, from there or for that.
    #[error("{detail}")]
    Throttled {
        /// What was tried too often.
        detail: &'static str,
        /// When to come again.
        retry_after: Duration,
    },
    /// Too much to do at the moment.
    #[error("{detail}")]
    Busy {
        /// What is short.
        detail: &'static str,
        /// When to come again.
        retry_after: Duration,
    },
    /// The machine broke.
    #[error("an internal error occurred")]
    Failure(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// One field that does not hold.
    pub fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation { pointer: pointer.to_owned(), detail: detail.into() }])
    }

    /// The machine broke.
    pub fn failure(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failure(error.into())
    }

    /// Whether the domain said no, and might say otherwise to a newer state.
    pub(super) fn depends_on_state(&self) -> bool {
        matches!(
            self,
            Self::Unauthenticated(_)
                | Self::Forbidden
                | Self::NotFound(_)
                | Self::Conflict(_)
                | Self::Stale
                | Self::Invalid(_)
        )
    }
}

const DATABASE_AWAY: &str = "the database cannot be reached";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database cannot be reached");
                Self::Busy { detail: DATABASE_AWAY, retry_after: Duration::from_secs(2) }
            }
            sqlx::Error::Database(ref inner)
                if inner.code().is_some_and(|code| {
                    ["57", "08", "53", "55P03", "40"].iter().any(|class| code.starts_with(class))
                }) =>
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database cannot serve");
                Self::Busy { detail: DATABASE_AWAY, retry_after: Duration::from_secs(2) }
            }
            // It stood there when it was looked up: an account that was erased meanwhile, as a rule.
            sqlx::Error::Database(ref inner) if inner.is_foreign_key_violation() => {
                Self::Conflict("somebody or something that this is about is gone by now".to_owned())
            }
            other => Self::failure(other),
        }
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Database(error) => error.into(),
            other => Self::failure(other),
        }
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict | AppendError::ReceiptExists => {
                Self::Conflict("the resource is being changed by others; try again".to_owned())
            }
            AppendError::Overloaded => {
                Self::Busy { detail: "the service is overloaded", retry_after: Duration::from_secs(1) }
            }
            AppendError::Unavailable => Self::Busy { detail: DATABASE_AWAY, retry_after: Duration::from_secs(2) },
            AppendError::OutcomeUnknown => Self::Busy {
                detail: "the database did not answer in time; the command may or may not have been carried out",
                retry_after: Duration::from_secs(2),
            },
            AppendError::TooLarge => Self::Conflict("this changes too much at once; do it in parts".to_owned()),
            AppendError::TableRefused(_) => Self::failure(error),
            AppendError::Refused(error) => error.into(),
        }
    }
}

impl From<ProjectRefusal> for Error {
    fn from(refusal: ProjectRefusal) -> Self {
        match refusal {
            ProjectRefusal::Absent => Self::NotFound("project"),
            ProjectRefusal::AlreadyExists => Self::Conflict(refusal.to_string()),
            ProjectRefusal::EndBeforeStart => Self::invalid("/end_date", refusal.to_string()),
        }
    }
}

impl From<MembershipRefusal> for Error {
    fn from(refusal: MembershipRefusal) -> Self {
        match refusal {
            MembershipRefusal::Closed => Self::NotFound("project"),
            MembershipRefusal::NotAMember => Self::NotFound("member"),
            MembershipRefusal::AlreadyFounded | MembershipRefusal::AlreadyMember | MembershipRefusal::LastOwner => {
                Self::Conflict(refusal.to_string())
            }
        }
    }
}

impl From<OrganizationRefusal> for Error {
    fn from(refusal: OrganizationRefusal) -> Self {
        match refusal {
            OrganizationRefusal::Absent => Self::NotFound("organization"),
            OrganizationRefusal::NotAMember => Self::NotFound("member"),
            OrganizationRefusal::AlreadyExists
            | OrganizationRefusal::AlreadyMember
            | OrganizationRefusal::LastAdmin
            | OrganizationRefusal::Personal => Self::Conflict(refusal.to_string()),
        }
    }
}

impl From<TaskRefusal> for Error {
    fn from(refusal: TaskRefusal) -> Self {
        match refusal {
            TaskRefusal::Absent => Self::NotFound("task"),
            TaskRefusal::AlreadyExists => Self::Conflict(refusal.to_string()),
        }
    }
}

impl From<CommentRefusal> for Error {
    fn from(refusal: CommentRefusal) -> Self {
        match refusal {
            CommentRefusal::Absent => Self::NotFound("comment"),
            CommentRefusal::AlreadyExists => Self::Conflict(refusal.to_string()),
        }
    }
}

impl From<WorkspaceRefusal> for Error {
    fn from(refusal: WorkspaceRefusal) -> Self {
        match refusal {
            WorkspaceRefusal::Absent => Self::NotFound("workspace"),
            WorkspaceRefusal::NoSuchFile => Self::NotFound("file"),
            WorkspaceRefusal::AlreadyExists
            | WorkspaceRefusal::PathTaken(_)
            | WorkspaceRefusal::NotAFolder(_)
            | WorkspaceRefusal::IsAFolder(_)
            | WorkspaceRefusal::Full { .. } => Self::Conflict(refusal.to_string()),
        }
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<FileRefusal> for Error {
    fn from(refusal: FileRefusal) -> Self {
        match refusal {}
    }
}

impl From<InvitationRefusal> for Error {
    fn from(refusal: InvitationRefusal) -> Self {
        match refusal {
            InvitationRefusal::Absent => Self::NotFound("invitation"),
            InvitationRefusal::AlreadySent
            | InvitationRefusal::Expired
            | InvitationRefusal::Lapsed
            | InvitationRefusal::Accepted => Self::Conflict(refusal.to_string()),
        }
    }
}

impl From<JobRefusal> for Error {
    fn from(refusal: JobRefusal) -> Self {
        match refusal {
            JobRefusal::Absent => Self::NotFound("job"),
            JobRefusal::AlreadyRequested | JobRefusal::NotWaiting { .. } | JobRefusal::NotRunning { .. } => {
                Self::Conflict(refusal.to_string())
            }
        }
    }
}

impl From<AccountRefusal> for Error {
    fn from(refusal: AccountRefusal) -> Self {
        match refusal {
            AccountRefusal::Absent => Self::NotFound("account"),
            AccountRefusal::AlreadyRegistered => Self::Conflict(refusal.to_string()),
            // Who acts with the credentials of an account that is gone has none.
            AccountRefusal::Erased => Self::Unauthenticated("the account no longer exists"),
            AccountRefusal::Deactivated => Self::Unauthenticated("the account is deactivated"),
        }
    }
}

/// Names the field that a text was meant for.
pub fn in_field(pointer: &'static str) -> impl Fn(TextRefused) -> Error {
    move |refused| Error::invalid(pointer, refused.to_string())
}
