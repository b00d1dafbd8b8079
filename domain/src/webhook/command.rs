//! What may be asked of a webhook.

use uuid::Uuid;

use super::{DisableReason, EndpointField, EventFilter};
use crate::ids::{JobId, ProjectId};

/// What may be asked of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookCommand {
    /// Send a project's events somewhere.
    Create {
        /// The project whose events are sent.
        project_id: ProjectId,
        /// The event types that are sent; all of them without a filter.
        event_types: Option<EventFilter>,
    },
    /// Change what it sends, where, and whether.
    Update(WebhookPatch),
    /// Sign with another secret.
    RotateSecret,
    /// Send an event again.
    Redeliver {
        /// The id of the new delivery, which is also that of its job.
        delivery_id: JobId,
        /// The event that is sent again.
        event_id: Uuid,
        /// Its place in the log.
        position: i64,
    },
    /// Send nothing any more, as the service decides. Of one that sends nothing, nothing is said.
    Disable {
        /// Why.
        reason: DisableReason,
    },
    /// End it for good.
    Delete,
}

/// The fields to change; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookPatch {
    /// The filter; inside, none for all event types.
    pub event_types: Option<Option<EventFilter>>,
    /// Whether it sends anything.
    pub enabled: Option<bool>,
    /// The fields outside the log that change with it.
    pub endpoint: Vec<EndpointField>,
}
