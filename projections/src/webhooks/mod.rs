//! Webhooks as those who manage them see them, and their deliveries.

mod deliveries;
mod project;
mod query;

pub use deliveries::WebhookDeliveries;
pub use project::Webhooks;
pub use query::{DeliveryRow, WebhookRow, deliveries, delivery, find, list};
