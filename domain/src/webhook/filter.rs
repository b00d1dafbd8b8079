//! The event types that a webhook takes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::refusal::{self, Code, Refusal};

/// Names of event types, such as `TaskCreated`: each once, in alphabetical order, 1 to 100.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct EventFilter(Vec<String>);

/// Why names are no filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventFilterRefused {
    /// A webhook that takes nothing is none.
    #[error("must name at least one event type; leave it out for all")]
    Empty,
    /// More than [`EventFilter::LIMIT`].
    #[error("must name at most {} event types", EventFilter::LIMIT)]
    TooMany,
    /// Not in the form that names of event types have.
    #[error("must be names of event types, such as `TaskCreated`")]
    NoName,
}

impl Refusal for EventFilterRefused {
    fn code(&self) -> &'static Code {
        match self {
            Self::Empty => refusal::EMPTY,
            Self::TooMany => refusal::TOO_LONG,
            Self::NoName => refusal::FORBIDDEN_CHARACTER,
        }
    }
}

impl EventFilter {
    /// Most names.
    pub const LIMIT: usize = 100;
    /// Most characters in a name.
    pub const NAME_LIMIT: usize = 64;

    /// Checks the form of the names; which events there are, whoever asks knows better.
    ///
    /// # Errors
    /// None, too many, or what is no name of an event type.
    pub fn parse(names: &[String]) -> Result<Self, EventFilterRefused> {
        let is_name = |name: &String| {
            (1..=Self::NAME_LIMIT).contains(&name.len())
                && name.starts_with(|first: char| first.is_ascii_uppercase())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if !names.iter().all(is_name) {
            return Err(EventFilterRefused::NoName);
        }
        let each_once: BTreeSet<&String> = names.iter().collect();
        match each_once.len() {
            0 => Err(EventFilterRefused::Empty),
            1..=Self::LIMIT => Ok(Self(each_once.into_iter().cloned().collect())),
            _ => Err(EventFilterRefused::TooMany),
        }
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}
