//! A webhook of a project: the project's events go to an address outside.
//!
//! What is sent is in the log. Where it goes (the address), what it is signed with (the secret), and what people call
//! it are rows outside of it. Each delivery is a job in the webhook's own feed, so that deliveries do not fill the
//! project's history.

mod aggregate;
mod command;
mod event;
mod filter;
pub(crate) mod refusal;

pub use aggregate::{Webhook, WebhookState};
pub use command::{WebhookCommand, WebhookPatch};
pub use event::{DisableReason, EndpointField, WebhookEvent};
pub use filter::{EventFilter, EventFilterRefused};
pub use refusal::WebhookRefusal;
