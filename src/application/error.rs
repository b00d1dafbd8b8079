//! Why a command or query was not answered. One type, free of transport: HTTP turns it into a status at the last step.

use std::{borrow::Cow, time::Duration};

use workroom_domain::refusal::{CONTENDED, Code, Kind, NOT_FOUND, Refusal};

use super::codes::{DATABASE_AWAY, INTERNAL, INVALID, OUTCOME_UNKNOWN, OVERLOADED};
use crate::{
    event_store::{AppendError, LoadError},
    log_tree::TreeError,
};

/// A refusal: what it is known by, and what is the matter this time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// What it is known by.
    pub code: &'static Code,
    /// What is the matter this time.
    pub detail: Cow<'static, str>,
    /// When to come again, if that helps.
    pub retry_after: Option<Duration>,
}

/// A field that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What it is known by.
    pub code: &'static Code,
    /// What is wrong with it.
    pub detail: Cow<'static, str>,
}

impl Violation {
    /// A field that does not hold, as its type says.
    pub fn of(pointer: &str, refusal: &impl Refusal) -> Self {
        Self::new(pointer, refusal.code(), refusal.to_string())
    }

    /// A field that does not hold.
    pub fn new(pointer: impl Into<String>, code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// Why a command or query was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Refused, for a reason that has a code.
    #[error(transparent)]
    Refused(Refused),
    /// Understood, but these fields do not hold.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// What a decision rested on outside the log has changed since it was read: decide again.
    #[error("the resource is being changed by others; try again")]
    Overtaken,
    /// The machine broke.
    #[error("an internal error occurred")]
    Failure(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<&'static Code> for Error {
    fn from(code: &'static Code) -> Self {
        Self::refused(code, code.meaning)
    }
}

impl Error {
    /// Refused, with a sentence about this case.
    pub fn refused(code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(Refused { code, detail: detail.into(), retry_after: None })
    }

    /// Refused for now.
    pub fn later(code: &'static Code, retry_after: Duration) -> Self {
        Self::Refused(Refused { code, detail: code.meaning.into(), retry_after: Some(retry_after) })
    }

    /// There is no such thing, or none that the caller may know of.
    pub fn not_found(noun: &str) -> Self {
        Self::refused(NOT_FOUND, format!("there is no such {noun}"))
    }

    /// The same of something in a project: whoever may not know of the project may not know of what is in it.
    #[must_use]
    pub fn or_hidden(self, absent: impl FnOnce() -> Self) -> Self {
        if self.kind() == Kind::NotFound { absent() } else { self }
    }

    /// One field that does not hold.
    pub fn invalid(pointer: &str, code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![Violation::new(pointer, code, detail)])
    }

    /// One field that does not hold, as its type says.
    pub fn of_field(pointer: &str, refusal: &impl Refusal) -> Self {
        Self::Invalid(vec![Violation::of(pointer, refusal)])
    }

    /// The machine broke.
    pub fn failure(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failure(error.into())
    }

    /// What it is known by.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Refused(refused) => refused.code,
            Self::Invalid(_) => INVALID,
            Self::Overtaken => CONTENDED,
            Self::Failure(_) => INTERNAL,
        }
    }

    /// What it means for whoever asked.
    pub fn kind(&self) -> Kind {
        self.code().kind
    }

    /// Whether the domain said no, and might say otherwise to a newer state.
    pub(super) fn depends_on_state(&self) -> bool {
        match self.kind() {
            Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::Conflict
            | Kind::Stale
            | Kind::Invalid
            | Kind::Field
            | Kind::Throttled => true,
            Kind::Malformed | Kind::Unavailable | Kind::Failure => false,
        }
    }
}

fn database_away() -> Error {
    Error::later(DATABASE_AWAY, Duration::from_secs(2))
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database cannot be reached");
                database_away()
            }
            sqlx::Error::Database(ref inner)
                if inner.code().is_some_and(|code| {
                    ["57", "08", "53", "55P03", "40"].iter().any(|class| code.starts_with(class))
                }) =>
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database cannot serve");
                database_away()
            }
            // It stood there when it was looked up: an account that was erased meanwhile, as a rule.
            sqlx::Error::Database(ref inner) if inner.is_foreign_key_violation() => {
                Self::refused(CONTENDED, "somebody or something that this is about is gone by now")
            }
            other => Self::failure(other),
        }
    }
}

impl From<TreeError> for Error {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Database(error) => error.into(),
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
                Self::refused(CONTENDED, "the resource is being changed by others; try again")
            }
            AppendError::Overloaded => Self::later(OVERLOADED, Duration::from_secs(1)),
            AppendError::Unavailable => database_away(),
            AppendError::OutcomeUnknown => Self::later(OUTCOME_UNKNOWN, Duration::from_secs(2)),
            // Every command bounds what it appends.
            AppendError::TooLarge | AppendError::TableRefused(_) => Self::failure(error),
            AppendError::Refused(error) => error.into(),
        }
    }
}

/// Makes errors of a noun's refusals; what each means, its code says.
macro_rules! from_refusals {
    ($($refusal:ty),+ $(,)?) => {
        $(impl From<$refusal> for $crate::application::Error {
            fn from(refusal: $refusal) -> Self {
                use workroom_domain::refusal::Refusal;
                match refusal.field() {
                    Some(pointer) => Self::of_field(pointer, &refusal),
                    None => Self::refused(refusal.code(), refusal.to_string()),
                }
            }
        })+
    };
}
pub(crate) use from_refusals;

from_refusals!(std::convert::Infallible);

/// Names the field that a value was meant for.
pub fn at_pointer<R: Refusal>(pointer: &'static str) -> impl Fn(R) -> Error {
    move |refusal| Error::of_field(pointer, &refusal)
}
