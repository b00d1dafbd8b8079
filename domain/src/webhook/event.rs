//! What can have happened to a webhook. Its address and its secret are in no event.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventFilter;
use crate::{
    event::domain_event,
    ids::{JobId, ProjectId},
};

/// What can have happened to a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum WebhookEvent {
    /// From now on, events of the project are sent to an address outside.
    WebhookCreated {
        /// The project whose events are sent.
        project_id: ProjectId,
        /// The event types that are sent; null for all.
        #[cfg_attr(feature = "openapi", schema(required))]
        event_types: Option<EventFilter>,
    },
    /// It sends events of other types.
    WebhookFilterChanged {
        /// The event types that were sent before; null for all.
        #[cfg_attr(feature = "openapi", schema(required))]
        from: Option<EventFilter>,
        /// The event types that are sent from now on; null for all.
        #[cfg_attr(feature = "openapi", schema(required))]
        to: Option<EventFilter>,
    },
    /// Fields changed whose values are outside the log.
    WebhookEndpointChanged {
        /// Which fields.
        fields: Vec<EndpointField>,
    },
    /// It signs with another secret.
    WebhookSecretRotated {},
    /// It sends events again.
    WebhookEnabled {},
    /// It sends nothing any more.
    WebhookDisabled {
        /// Why.
        reason: DisableReason,
    },
    /// An event is to be sent again.
    WebhookRedeliveryRequested {
        /// The id of the new delivery.
        delivery_id: JobId,
        /// The id of the event that is sent again.
        event_id: Uuid,
        /// The place of that event in the whole log.
        position: i64,
    },
    /// It ended; nothing follows.
    WebhookDeleted {},
}

/// A field of a webhook whose value is outside the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = WebhookEndpointField))]
#[serde(rename_all = "snake_case")]
pub enum EndpointField {
    /// The address that events are sent to.
    Url,
    /// What people say about it.
    Description,
}

/// Why a webhook sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = WebhookDisableReason))]
#[serde(rename_all = "snake_case")]
pub enum DisableReason {
    /// Somebody asked for it.
    Requested,
    /// Its address answered that it is gone for good (HTTP 410).
    Gone,
    /// Nothing was delivered for a day, though it was tried again and again.
    Failing,
    /// Who it acts for (who created it, or enabled it last) may not manage the project's webhooks any more.
    CreatorLeft,
}

impl DisableReason {
    /// The reason as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::CreatorLeft => "creator_left",
        }
    }
}

domain_event!(WebhookEvent {
    WebhookCreated => "1",
    WebhookFilterChanged => "1",
    WebhookEndpointChanged => "1",
    WebhookSecretRotated => "1",
    WebhookEnabled => "1",
    WebhookDisabled => "1",
    WebhookRedeliveryRequested => "1",
    WebhookDeleted => "1",
});
