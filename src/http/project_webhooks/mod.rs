//! `/projects/{project_id}/webhooks`: where a project's events are sent to.

pub mod create;
pub mod delete;
pub mod deliveries;
pub mod list;
mod model;
pub mod read;
pub mod redeliver;
mod request;
pub mod rotate;
pub mod update;

pub use model::{Delivery, Webhook};

use super::State;
use crate::{
    application::{Error, IdempotencyKey, webhooks::SecretText},
    jobs::webhook::Destinations,
};

/// Where webhooks may send events to.
fn destinations(state: &State) -> Destinations {
    state.config.jobs.webhooks.destinations()
}

/// The secret that a reply tells: the one that was given, or one that is made. Under a key it is made of the key and
/// the reply, so that it can be told again to whoever sends the same request again.
fn secret(
    state: &State,
    given: Option<&SecretText>,
    key: Option<&IdempotencyKey>,
    reply: &str,
) -> Result<SecretText, Error> {
    match (given, key) {
        (Some(given), _) => Ok(given.clone()),
        (None, Some(key)) => Ok(SecretText::from_bytes(&state.identity.derived_secret("webhook", key, reply))),
        (None, None) => SecretText::draw(),
    }
}
