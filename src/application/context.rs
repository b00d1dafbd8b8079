//! Who asks, when, and on whose behalf: what every event of a command will carry.

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{actor::Actor, ids::AccountId, metadata::Metadata};

use super::Error;
use crate::{application::codes::FORBIDDEN, clock};

/// Who asks, when, and on whose behalf.
#[derive(Clone, Debug)]
pub struct Context {
    /// The account, or the part of the service, that asks; every event of the command names it.
    pub actor: Actor,
    /// The moment of asking, to the microsecond, as Postgres keeps it.
    pub now: OffsetDateTime,
    /// What belongs together: the request's id.
    pub correlation_id: Uuid,
    /// The event that made the service act.
    pub causation_id: Option<Uuid>,
    /// The W3C trace of the request.
    pub trace_id: Option<String>,
}

impl Context {
    /// For an actor, now.
    pub fn new(actor: Actor, correlation_id: Uuid) -> Self {
        Self { actor, now: clock::now(), correlation_id, causation_id: None, trace_id: None }
    }

    /// The account that asks.
    ///
    /// # Errors
    /// When the service itself asks for something that only people do.
    pub fn account(&self) -> Result<AccountId, Error> {
        self.actor.account().ok_or_else(|| FORBIDDEN.into())
    }

    pub(super) fn metadata(&self) -> Metadata {
        Metadata {
            actor: self.actor,
            occurred_at: self.now,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            trace_id: self.trace_id.clone(),
        }
    }
}
