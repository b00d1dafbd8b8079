//! The state of a webhook, and its two functions.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DisableReason, EventFilter, WebhookCommand, WebhookEvent, WebhookPatch, WebhookRefusal};
use crate::{Decide, aggregate::cqrs_aggregate, ids::ProjectId};

/// A webhook of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Webhook {
    /// Not created yet.
    #[default]
    Absent,
    /// It exists, and sends events unless it is disabled.
    Present(WebhookState),
    /// It was deleted, and no other webhook can have its id.
    Deleted {
        /// The project it belonged to.
        project_id: ProjectId,
    },
}

/// What is known of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookState {
    /// The project whose events it sends. It never changes.
    pub project_id: ProjectId,
    /// The event types that it sends; all of them without a filter.
    pub event_types: Option<EventFilter>,
    /// Why it sends nothing, if it does not.
    pub disabled: Option<DisableReason>,
}

impl Webhook {
    /// What is known of a webhook of that project.
    ///
    /// # Errors
    /// [`WebhookRefusal::Absent`] before it is created, after it is deleted, and for another project's webhook.
    pub fn of(&self, project_id: ProjectId) -> Result<&WebhookState, WebhookRefusal> {
        match self {
            Self::Present(state) if state.project_id == project_id => Ok(state),
            Self::Absent | Self::Present(_) | Self::Deleted { .. } => Err(WebhookRefusal::Absent),
        }
    }
}

impl WebhookState {
    /// One event for each kind of change; none where nothing changes.
    fn update(&self, patch: WebhookPatch) -> Vec<WebhookEvent> {
        let mut events = Vec::new();
        if !patch.endpoint.is_empty() {
            events.push(WebhookEvent::WebhookEndpointChanged { fields: patch.endpoint });
        }
        if let Some(to) = patch.event_types.filter(|to| *to != self.event_types) {
            events.push(WebhookEvent::WebhookFilterChanged { from: self.event_types.clone(), to });
        }
        match (patch.enabled, self.disabled) {
            (Some(true), Some(_)) => events.push(WebhookEvent::WebhookEnabled {}),
            (Some(false), None) => events.push(WebhookEvent::WebhookDisabled { reason: DisableReason::Requested }),
            (None, _) | (Some(true), None) | (Some(false), Some(_)) => {}
        }
        events
    }
}

impl Decide for Webhook {
    const TYPE: &'static str = "webhook";
    const SHAPE: u32 = 1;
    type Command = WebhookCommand;
    type Event = WebhookEvent;
    type Refusal = WebhookRefusal;

    fn decide(&self, command: WebhookCommand) -> Result<Vec<WebhookEvent>, WebhookRefusal> {
        match (command, self) {
            (WebhookCommand::Create { project_id, event_types }, Self::Absent) => {
                Ok(vec![WebhookEvent::WebhookCreated { project_id, event_types }])
            }
            (WebhookCommand::Create { .. }, _) => Err(WebhookRefusal::AlreadyExists),
            (WebhookCommand::Update(patch), Self::Present(state)) => Ok(state.update(patch)),
            (WebhookCommand::RotateSecret, Self::Present(_)) => Ok(vec![WebhookEvent::WebhookSecretRotated {}]),
            (WebhookCommand::Redeliver { .. }, Self::Present(WebhookState { disabled: Some(_), .. })) => {
                Err(WebhookRefusal::Disabled)
            }
            (WebhookCommand::Redeliver { delivery_id, event_id, position }, Self::Present(_)) => {
                Ok(vec![WebhookEvent::WebhookRedeliveryRequested { delivery_id, event_id, position }])
            }
            (WebhookCommand::Disable { reason }, Self::Present(state)) => Ok(match state.disabled {
                None => vec![WebhookEvent::WebhookDisabled { reason }],
                Some(_) => vec![],
            }),
            // Who deleted it meanwhile has settled the matter.
            (WebhookCommand::Disable { .. }, Self::Deleted { .. }) => Ok(vec![]),
            (WebhookCommand::Delete, Self::Present(_)) => Ok(vec![WebhookEvent::WebhookDeleted {}]),
            (
                WebhookCommand::Update(_)
                | WebhookCommand::RotateSecret
                | WebhookCommand::Redeliver { .. }
                | WebhookCommand::Disable { .. }
                | WebhookCommand::Delete,
                _,
            ) => Err(WebhookRefusal::Absent),
        }
    }

    fn evolve(&mut self, event: &WebhookEvent) {
        match (event, &mut *self) {
            (WebhookEvent::WebhookCreated { project_id, event_types }, _) => {
                let (project_id, event_types) = (*project_id, event_types.clone());
                *self = Self::Present(WebhookState { project_id, event_types, disabled: None });
            }
            (WebhookEvent::WebhookFilterChanged { to, .. }, Self::Present(state)) => state.event_types.clone_from(to),
            (WebhookEvent::WebhookEnabled {}, Self::Present(state)) => state.disabled = None,
            (WebhookEvent::WebhookDisabled { reason }, Self::Present(state)) => state.disabled = Some(*reason),
            (WebhookEvent::WebhookDeleted {}, Self::Present(state)) => {
                *self = Self::Deleted { project_id: state.project_id };
            }
            // The values of an endpoint are outside the log; a redelivery is a job.
            (
                WebhookEvent::WebhookEndpointChanged { .. }
                | WebhookEvent::WebhookSecretRotated {}
                | WebhookEvent::WebhookRedeliveryRequested { .. }
                | WebhookEvent::WebhookFilterChanged { .. }
                | WebhookEvent::WebhookEnabled {}
                | WebhookEvent::WebhookDisabled { .. }
                | WebhookEvent::WebhookDeleted {},
                _,
            ) => {}
        }
    }

    fn feed(&self, id: Uuid) -> Uuid {
        match self {
            Self::Absent => id,
            Self::Present(state) => state.project_id.0,
            Self::Deleted { project_id } => project_id.0,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Present(WebhookState { event_types: Some(filter), .. }) => {
                filter.names().iter().map(|name| name.len() + size_of::<String>()).sum()
            }
            Self::Absent | Self::Present(_) | Self::Deleted { .. } => 0,
        }
    }
}

cqrs_aggregate!(Webhook);
