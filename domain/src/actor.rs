//! Who caused an event.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::ids::AccountId;

/// Who caused an event: a person, or a named part of the service acting on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A signed-in account.
    Account(AccountId),
    /// The service itself.
    System(SystemActor),
}

/// The parts of the service that may cause events without a person asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SystemActor {
    /// Runs jobs and reports their outcome.
    Worker,
    /// Does what follows from events elsewhere.
    Reconciler,
    /// Hands out jobs, and finds those whose worker was lost.
    Dispatcher,
    /// Guards accounts: refuses who is not who they say.
    Identity,
    /// Whoever runs the service, at its command line.
    Operator,
}

impl Actor {
    /// The account behind the actor, when a person acted.
    pub fn account(self) -> Option<AccountId> {
        match self {
            Self::Account(id) => Some(id),
            Self::System(_) => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::System(SystemActor::Worker) => f.write_str("system:worker"),
            Self::System(SystemActor::Reconciler) => f.write_str("system:reconciler"),
            Self::System(SystemActor::Dispatcher) => f.write_str("system:dispatcher"),
            Self::System(SystemActor::Identity) => f.write_str("system:identity"),
            Self::System(SystemActor::Operator) => f.write_str("system:operator"),
        }
    }
}

/// The text names no known actor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` names no actor; expected account:<uuid> or system:<part>")]
pub struct UnknownActor(String);

impl FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("account", id)) => {
                Uuid::try_parse(id).map(|id| Self::Account(AccountId(id))).map_err(|_| UnknownActor(text.to_owned()))
            }
            Some(("system", "worker")) => Ok(Self::System(SystemActor::Worker)),
            Some(("system", "reconciler")) => Ok(Self::System(SystemActor::Reconciler)),
            Some(("system", "dispatcher")) => Ok(Self::System(SystemActor::Dispatcher)),
            Some(("system", "identity")) => Ok(Self::System(SystemActor::Identity)),
            Some(("system", "operator")) => Ok(Self::System(SystemActor::Operator)),
            _ => Err(UnknownActor(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_survives_its_text_form() {
        let actors = [
            Actor::Account(AccountId(Uuid::from_u128(7))),
            Actor::System(SystemActor::Worker),
            Actor::System(SystemActor::Reconciler),
            Actor::System(SystemActor::Dispatcher),
            Actor::System(SystemActor::Identity),
            Actor::System(SystemActor::Operator),
        ];
        for actor in actors {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        assert!("account:nobody".parse::<Actor>().is_err());
        assert!("system:intruder".parse::<Actor>().is_err());
    }
}
