//! Webhooks of projects: commands on them, and what follows from the log.
//!
//! ```text
//! the log ──► follower ──► a job `webhook_delivery` for each event and webhook ──► jobs/types/webhook_delivery
//!                 ▲                          │
//!                 └── what became of it ◄────┘
//! ```
//!
//! A webhook is an aggregate in its project's feed. Its address and its secrets are a row beside the log (`endpoint`),
//! which goes with it and with the project. Who manages members manages webhooks: both let somebody else see all that
//! happens in the project. A webhook acts for the account that created it, or enabled it last, and no longer than that
//! account may.

mod backlog;
pub mod codes;
mod create;
mod delete;
mod deliver;
mod disable;
mod due;
mod endpoint;
mod failures;
mod follower;
mod redeliver;
mod rotate;
mod secret;
mod target;
mod update;

pub use create::{CreateWebhook, InsertEndpoint};
pub use delete::{DeleteEndpoint, DeleteWebhook};
pub use deliver::delivery_id;
pub use disable::DisableWebhook;
pub use endpoint::EndpointFields;
pub use follower::WebhookFollower;
pub use redeliver::{RedeliverEvent, RequestedDelivery};
pub use rotate::{FORMER_SECRET_LIFETIME, ReplaceSecret, RotateSecret};
pub use secret::{SealedSecret, SecretKey, SecretText};
pub use target::{Response, Target};
pub use update::{UpdateEndpoint, UpdateWebhook, UpdatedWebhook};

use std::sync::Arc;

use workroom_domain::{
    access::Action,
    ids::{ProjectId, WebhookId},
    webhook::Webhook,
};

use super::{Error, Unit};
use crate::event_store::Versioned;

super::error::from_refusals!(workroom_domain::webhook::WebhookRefusal);

/// What it takes to manage the webhooks of a project.
pub const MANAGE: Action = Action::ManageMembers;

/// Where a webhook is.
#[derive(Clone, Copy, Debug)]
pub struct WebhookPlace {
    /// The project whose events it sends.
    pub project_id: ProjectId,
    /// The webhook's id; a new one for a webhook that is to be created.
    pub webhook_id: WebhookId,
}

/// Insists that the caller manages the webhooks of the project; the append is guarded by that.
async fn authorize(unit: &mut Unit<'_>, place: WebhookPlace) -> Result<(), Error> {
    unit.authorize(place.project_id, MANAGE).await.map(drop)
}

/// A webhook of a project, for whoever manages it.
async fn authorized(unit: &mut Unit<'_>, place: WebhookPlace) -> Result<Arc<Versioned<Webhook>>, Error> {
    authorize(unit, place).await?;
    let webhook = unit.read::<Webhook>(place.webhook_id).await?;
    webhook.state.of(place.project_id)?;
    Ok(webhook)
}
